/*
 * prompt.h - a session of an operator: lines carried out one after the other, with the bindings and
 *   scripts of the service, in a generation of their own.
 *
 * It begins as a rehearsal (scratch.h), in which nothing leaves and nothing is stored. `:live`
 * takes a generation that acts, `:dry` goes back to the rehearsal, `:reload` takes the scripts as
 * they are now.  What a line means, and what there is to show of it, is for scripts/prompt/.
 *
 * One line runs at a time.  The done() of a line or a completion is called exactly once, never
 * before its start returns; its texts are valid until it returns.
 */
#ifndef PROMPT_H
#define PROMPT_H

#include "base.h"
#include "err.h"
#include "task.h"

struct tree;
struct prompt;

enum prompt_verb {
    PROMPT_SHOWN,  /* text is what came of it, or "" */
    PROMPT_FAILED, /* text says why */
    PROMPT_MORE,   /* it is not at its end: again, with the next line behind it */
    PROMPT_ASK,    /* text is a question; who says yes means the line in `more` */
    PROMPT_DOCTOR, /* the chain of `check --live` is to be walked */
    PROMPT_QUIT,
    PROMPT_VERBS /* how many there are */
};

/* As scripts and answers name it. */
const char *prompt_word(enum prompt_verb verb);
enum prompt_verb prompt_verb(const char *word); /* PROMPT_VERBS: it is none */

struct prompt_answer {
    enum prompt_verb verb;
    const char *text, *more; /* never NULL */
};

typedef void prompt_done_fn(const struct prompt_answer *a, void *arg);

struct prompt_host {
    struct tree *(*read_tree)(struct err *e);   /* the scripts as they are now */
    void (*print)(const char *text, void *arg); /* what a line prints while it runs */
    void *arg;
    struct task_owner owner; /* on whose behalf; borrowed */
    bool attached;           /* in a service, by somebody far away */
};

/* A rehearsal, in a generation of its own.  NULL: the scripts do not load, or no memory. */
struct prompt *prompt_new(const struct prompt_host *host, struct err *e);
void prompt_free(struct prompt *p); /* NULL-safe; what runs is cut off, without done() */

/* Carry out a line, which may be several; columns: how wide the answer may be. */
void prompt_run(struct prompt *p, const char *line, unsigned columns, prompt_done_fn *done,
                void *arg);

/* How a text could go on: `more` is what could stand in place of its last word, one per line, and
 * `text` says what the only one is. */
void prompt_complete(struct prompt *p, const char *text, unsigned columns, prompt_done_fn *done,
                     void *arg);

/* What runs fails at what it waits for. */
void prompt_interrupt(struct prompt *p);

bool prompt_busy(const struct prompt *p);
bool prompt_live(const struct prompt *p);

#endif
