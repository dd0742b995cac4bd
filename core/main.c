/*
 * main.c - the command line.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "check_replay.h"
#include "command.h"
#include "confine.h"
#include "env.h"
#include "key.h"
#include "log.h"
#include "repl.h"
#include "serve.h"
#include "test.h"
#include "usage.h"

/* Every variable that is wrong, a line each.  `quiet`: unless LOG_LEVEL says otherwise, only what
 * is wrong is told. */
static int load_env(bool quiet) {
    struct buf faults;
    int status;

    buf_init(&faults, 64 * KIB);
    status = env_load(&faults);
    if (status != 0)
        fprintf(stderr, "%s", faults.data);
    buf_free(&faults);
    log_init(quiet && getenv("LOG_LEVEL") == NULL ? LOG_WARNING : (enum log_level)env.log_level,
             env.log_format == ENV_JSON);
    if (env.project != NULL)
        log_set_project(env.project);
    if (status == 0)
        env_log();
    return status;
}

/* paraph serve */
static int run_serve(int n, char **arguments) {
    if (n > 0)
        return usage_wrong("serve", "one argument too many: '%.80s'", arguments[0]);
    return load_env(false) != 0 ? USAGE_EXIT : serve();
}

/* paraph send [OPTION...] [FILE] */
static int run_send(int n, char **arguments) {
    struct command c = {.name = "send", .arguments = arguments, .n = n};

    for (int i = 0; i < n && strcmp(arguments[i], "--") != 0; i++)
        c.rehearse |= strcmp(arguments[i], "--dry-run") == 0;
    return load_env(true) != 0 ? USAGE_EXIT : command_run(&c);
}

/* paraph drafts [OPTION...] [STATUS | ID] */
static int run_drafts(int n, char **arguments) {
    const struct command c = {.name = "drafts", .only_reads = true, .arguments = arguments, .n = n};

    return load_env(true) != 0 ? USAGE_EXIT : command_run(&c);
}

/* A whole number from 1 to max; 0: it is none. */
static unsigned read_count(const char *text, unsigned max) {
    size_t n = strspn(text, "0123456789");
    unsigned long count = strtoul(text, NULL, 10);

    return n > 0 && text[n] == '\0' && count <= max ? (unsigned)count : 0;
}

/* paraph check [--live] [--replay N] [--json] */
static int run_check(int n, char **arguments) {
    struct check_options options = {0};

    for (int i = 0; i < n; i++)
        if (strcmp(arguments[i], "--live") == 0)
            options.live = true;
        else if (strcmp(arguments[i], "--json") == 0)
            options.json = true;
        else if (strcmp(arguments[i], "--replay") != 0)
            return usage_wrong("check", "there is no option '%.80s'", arguments[i]);
        else if (++i == n || (options.replay = read_count(arguments[i], CHECK_REPLAY_MAX)) == 0)
            return usage_wrong("check", "--replay takes a number from 1 to 1000, not '%.80s'",
                               i < n ? arguments[i] : "");
    return load_env(false) != 0 ? USAGE_EXIT : check_run(&options);
}

/* paraph test [--real] [--verbose] [--json] [DIR] */
static int run_test(int n, char **arguments) {
    struct test_options options = {0};

    for (int i = 0; i < n; i++)
        if (strcmp(arguments[i], "--real") == 0)
            options.real = true;
        else if (strcmp(arguments[i], "--verbose") == 0)
            options.verbose = true;
        else if (strcmp(arguments[i], "--json") == 0)
            options.json = true;
        else if (arguments[i][0] == '-')
            return usage_wrong("test", "there is no option '%.80s'", arguments[i]);
        else if (options.dir != NULL)
            return usage_wrong("test", "one directory too many: '%.80s'", arguments[i]);
        else
            options.dir = arguments[i];
    return test(&options);
}

/* paraph key [--json] NAME [ROLE...] */
static int run_key(int n, char **arguments) {
    bool json = n > 0 && strcmp(arguments[0], "--json") == 0;

    if (json) {
        arguments++;
        n--;
    }
    if (n == 0)
        return usage_wrong("key", "the NAME of the key is missing");
    if (n > 5)
        return usage_wrong("key", "one argument too many: '%.80s'", arguments[5]);
    return key_make(arguments[0], arguments + 1, n - 1, json);
}

/* paraph repl [--attach URL] */
static int run_repl(int n, char **arguments) {
    const char *url = NULL;

    if (n > 0 && strcmp(arguments[0], "--attach") != 0)
        return usage_wrong("repl", "there is no option '%.80s'", arguments[0]);
    if (n == 1)
        return usage_wrong("repl", "--attach takes the URL of a service");
    if (n > 2)
        return usage_wrong("repl", "one argument too many: '%.80s'", arguments[2]);
    if (n == 2)
        url = arguments[1];
    return load_env(true) != 0 ? USAGE_EXIT : repl(url);
}

static const struct {
    const char *name;
    int (*run)(int n, char **arguments);
} commands[] = {
    {"serve", run_serve}, {"send", run_send}, {"drafts", run_drafts}, {"repl", run_repl},
    {"check", run_check}, {"test", run_test}, {"key", run_key},
};

/* Is it --help or --version that is asked for, wherever it stands among the options? */
static bool answers(int argc, char **argv, const char *command) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("paraph %s\n", PARAPH_VERSION);
            return true;
        }
        if (strcmp(argv[i], "--help") != 0 && (i > 2 || strcmp(argv[i], "-h") != 0))
            continue;
        if (command != NULL)
            usage_print(stdout, command);
        else
            usage_print_overview(stdout);
        return true;
    }
    return false;
}

/* Whoever started us may have closed them; what is opened next, a database or a connection, would
 * stand in their place. */
static void open_standard_streams(void) {
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "serve";
    size_t i = 0;

    open_standard_streams();
    confine_memory();
    while (i < COUNT_OF(commands) && strcmp(commands[i].name, name) != 0)
        i++;
    if (answers(argc, argv, argc > 1 && i < COUNT_OF(commands) ? name : NULL))
        return 0;
    if (i == COUNT_OF(commands))
        return usage_wrong(NULL, "there is no command '%.80s'", name);
    return commands[i].run(argc > 2 ? argc - 2 : 0, argv + 2);
}
