#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "check.h"
#include "env.h"
#include "excerpt.h"
#include "repl.h"
#include "repl_peer.h"
#include "role.h"
#include "services.h"
#include "tree.h"

static struct prompt *session;

static void run(const char *line, unsigned columns, prompt_done_fn *done, void *arg) {
    prompt_run(session, line, columns, done, arg);
}

static void complete(const char *text, unsigned columns, prompt_done_fn *done, void *arg) {
    prompt_complete(session, text, columns, done, arg);
}

static void interrupt(void) {
    prompt_interrupt(session);
}

static bool live(void) {
    return prompt_live(session);
}

static const char *name(void) {
    return live() ? env_sender() : "dry";
}

static void on_print(const char *text, void *arg) {
    (void)arg;
    repl_show(stdout, text);
}

static void doctor(void) {
    check_chain(live());
}

static void close_all(void) {
    prompt_free(session);
    services_fini();
}

/* An error of the scripts, with the line that it is about. */
static void tell(const struct err *e) {
    struct tree *tree = tree_read(NULL);
    struct buf text;

    buf_init(&text, 64 * KIB);
    excerpt_add(&text, tree, e->message);
    repl_show(stderr, text.data);
    buf_free(&text);
    tree_unref(tree);
}

static const struct repl_peer *open_session(void) {
    static const struct repl_peer peer = {run, complete, interrupt, name, live, doctor, close_all};
    static const struct prompt_host host = {
        .read_tree = tree_read,
        .print = on_print,
        .owner = {"prompt", "prompt", "prompt", NULL, ROLE_ALL, NULL},
    };
    struct err e;

    if ((session = prompt_new(&host, &e)) != NULL)
        return &peer;
    tell(&e);
    return NULL;
}

const struct repl_peer *repl_local_open(void) {
    const struct repl_peer *peer;
    const char *step;
    struct err e;

    if (services_init(&step, &e) != 0) {
        fprintf(stderr, "paraph repl: %s: %s\n", step, e.message);
        return NULL;
    }
    if ((peer = open_session()) == NULL)
        services_fini();
    return peer;
}
