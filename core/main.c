/*
 * main.c - the command line.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "env.h"
#include "log.h"
#include "serve.h"
#include "test.h"

#define EXIT_USAGE 2 /* wrong usage or configuration */

static const char usage[] =
    "paraph - a mail gateway: programs post messages, people review them, Gmail sends them\n"
    "\n"
    "usage: paraph [serve]        run the HTTP service\n"
    "       paraph check [--live] validate settings, scripts and templates; with --live also do\n"
    "                             what a send needs, step by step, with the remedy for each failure\n"
    "       paraph test [--real] [--verbose] [DIR]\n"
    "                             run the tests (*_test.lua) of a scripts directory, with a clock,\n"
    "                             a store and a mailbox of their own; with --real on a SQLite store\n"
    "                             and an outbox in a temporary directory, in real time; with\n"
    "                             --verbose show the chain of calls of each failure\n"
    "       paraph --help | --version\n"
    "\n"
    "Configuration is by environment variables; without any, paraph serves on\n"
    "http://127.0.0.1:8080 with a SQLite store and a Maildir outbox in ./data.\n";

/* Every variable that is wrong, a line each. */
static int load_env(void) {
    struct buf faults;
    int status;

    buf_init(&faults, 64 * KIB);
    status = env_load(&faults);
    if (status != 0)
        fprintf(stderr, "%s", faults.data);
    buf_free(&faults);
    log_init((enum log_level)env.log_level, env.log_format == ENV_JSON);
    if (status == 0)
        env_log();
    return status;
}

static int wrong_usage(const char *what, const char *word) {
    fprintf(stderr, "paraph: %s '%.80s'\n\n%s", what, word, usage);
    return EXIT_USAGE;
}

/* paraph serve */
static int run_serve(int n, char **arguments) {
    (void)n;
    (void)arguments;
    return load_env() != 0 ? EXIT_USAGE : serve();
}

/* paraph check [--live] */
static int run_check(int n, char **arguments) {
    if (n > 0 && strcmp(arguments[0], "--live") != 0)
        return wrong_usage("check has no option", arguments[0]);
    return load_env() != 0 ? EXIT_USAGE : check_run(n > 0);
}

/* paraph test [--real] [--verbose] [DIR] */
static int run_test(int n, char **arguments) {
    struct test_options options = {0};

    for (int i = 0; i < n; i++)
        if (strcmp(arguments[i], "--real") == 0)
            options.real = true;
        else if (strcmp(arguments[i], "--verbose") == 0)
            options.verbose = true;
        else if (arguments[i][0] == '-')
            return wrong_usage("test has no option", arguments[i]);
        else if (options.dir != NULL)
            return wrong_usage("one directory too many:", arguments[i]);
        else
            options.dir = arguments[i];
    return test(&options);
}

static const struct {
    const char *name;
    int (*run)(int n, char **arguments);
    int arguments; /* how many it may have */
} commands[] = {{"serve", run_serve, 0}, {"check", run_check, 1}, {"test", run_test, 3}};

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "serve";

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s", usage);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("paraph %s\n", PARAPH_VERSION);
            return 0;
        }
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0) {
            if (argc > 2 + commands[i].arguments)
                return wrong_usage("one argument too many:", argv[2 + commands[i].arguments]);
            return commands[i].run(argc > 2 ? argc - 2 : 0, argv + 2);
        }
    return wrong_usage("there is no command", name);
}
