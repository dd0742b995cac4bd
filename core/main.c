/*
 * main.c - the command line.
 */
#include <stdio.h>
#include <string.h>

#include "env.h"
#include "log.h"
#include "serve.h"
#include "test.h"

#define EXIT_USAGE 2 /* wrong usage or configuration */

static const char usage[] =
    "paraph - a mail gateway: programs post messages, people review them, Gmail sends them\n"
    "\n"
    "usage: paraph [serve]        run the HTTP service\n"
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
    return status;
}

static int wrong_usage(const char *what, const char *word) {
    fprintf(stderr, "paraph: %s '%.80s'\n\n%s", what, word, usage);
    return EXIT_USAGE;
}

int main(int argc, char **argv) {
    const char *command = argc > 1 ? argv[1] : "serve";
    bool is_test = strcmp(command, "test") == 0;

    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 ||
        (argc > 2 && strcmp(argv[2], "--help") == 0)) {
        printf("%s", usage);
        return 0;
    }
    if (strcmp(command, "--version") == 0) {
        printf("paraph %s\n", PARAPH_VERSION);
        return 0;
    }
    if (!is_test && strcmp(command, "serve") != 0)
        return wrong_usage("there is no command", command);
    if (argc > (is_test ? 3 : 2))
        return wrong_usage("one argument too many:", argv[is_test ? 3 : 2]);
    if (is_test)
        return test_run(argc > 2 ? argv[2] : NULL);
    if (load_env() != 0)
        return EXIT_USAGE;
    return serve();
}
