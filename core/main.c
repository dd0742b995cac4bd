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
    "       paraph test [DIR]     run the tests (*_test.lua) of a scripts directory\n"
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
static int run_serve(const char *argument) {
    (void)argument;
    return load_env() != 0 ? EXIT_USAGE : serve();
}

/* paraph check [--live] */
static int run_check(const char *argument) {
    if (argument != NULL && strcmp(argument, "--live") != 0)
        return wrong_usage("check has no option", argument);
    return load_env() != 0 ? EXIT_USAGE : check_run(argument != NULL);
}

static const struct {
    const char *name;
    int (*run)(const char *argument); /* NULL: none given */
    int arguments;                    /* how many it may have */
} commands[] = {{"serve", run_serve, 0}, {"check", run_check, 1}, {"test", test_run, 1}};

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
            return commands[i].run(argc > 2 ? argv[2] : NULL);
        }
    return wrong_usage("there is no command", name);
}
