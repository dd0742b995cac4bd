/*
 * main.c - the command line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "check_replay.h"
#include "confine.h"
#include "env.h"
#include "key.h"
#include "log.h"
#include "repl.h"
#include "serve.h"
#include "test.h"

#define EXIT_USAGE 2 /* wrong usage or configuration */

static const char usage[] =
    "paraph - a mail gateway: programs post messages, people review them, Gmail sends them\n"
    "\n"
    "usage: paraph [serve]        run the HTTP service\n"
    "       paraph check [--live] [--replay N]\n"
    "                             validate settings, scripts and templates, and show which policies\n"
    "                             are in force and what is odd about them; with --live also do what\n"
    "                             a send needs, step by step, with the remedy for each failure; with\n"
    "                             --replay also ask the policies about the last N drafts (1 to 1000)\n"
    "                             and show what is no longer decided as it was: nothing is written\n"
    "                             or sent.  A draft that was never decided about (mode \"draft\") is\n"
    "                             shown unless it would be sent; what was sent at once without an\n"
    "                             Idempotency-Key is stored nowhere, and not looked at\n"
    "       paraph test [--real] [--verbose] [DIR]\n"
    "                             run the tests (*_test.lua) of a scripts directory, with a clock,\n"
    "                             a store and a mailbox of their own; with --real on a SQLite store\n"
    "                             and an outbox in a temporary directory, in real time; with\n"
    "                             --verbose show the chain of calls of each failure\n"
    "       paraph key NAME [ROLE...]\n"
    "                             make an API key: print its secret, this once, and the line for\n"
    "                             API_KEYS; roles are draft (the default), send, review and ops\n"
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

/* A whole number from 1 to max; 0: it is none. */
static unsigned read_count(const char *text, unsigned max) {
    size_t n = strspn(text, "0123456789");
    unsigned long count = strtoul(text, NULL, 10);

    return n > 0 && text[n] == '\0' && count <= max ? (unsigned)count : 0;
}

/* paraph check [--live] [--replay N] */
static int run_check(int n, char **arguments) {
    bool live = false;
    unsigned replay = 0;

    for (int i = 0; i < n; i++)
        if (strcmp(arguments[i], "--live") == 0)
            live = true;
        else if (strcmp(arguments[i], "--replay") != 0)
            return wrong_usage("check has no option", arguments[i]);
        else if (++i == n || (replay = read_count(arguments[i], CHECK_REPLAY_MAX)) == 0)
            return wrong_usage("--replay takes a number from 1 to 1000, not",
                               i < n ? arguments[i] : "");
    return load_env() != 0 ? EXIT_USAGE : check_run(live, replay);
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

/* paraph key NAME [ROLE...] */
static int run_key(int n, char **arguments) {
    if (n == 0)
        return wrong_usage("key needs", "NAME");
    return key_make(arguments[0], arguments + 1, n - 1);
}

/* paraph repl [--attach URL] */
static int run_repl(int n, char **arguments) {
    const char *url = NULL;

    if (n > 0 && strcmp(arguments[0], "--attach") != 0)
        return wrong_usage("repl has no option", arguments[0]);
    if (n == 1)
        return wrong_usage("--attach takes a", "URL");
    if (n == 2)
        url = arguments[1];
    return load_env() != 0 ? EXIT_USAGE : repl(url);
}

static const struct {
    const char *name;
    int (*run)(int n, char **arguments);
    int arguments; /* how many it may have */
} commands[] = {{"serve", run_serve, 0},
                {"check", run_check, 3},
                {"key", run_key, 5},
                {"repl", run_repl, 2},
                {"test", run_test, 3}};

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "serve";

    confine_memory();
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
