/*
 * attached.h - the sessions that operators have in a running service (`paraph repl --attach`): one
 *   prompt.h each, in this process, for one caller.
 *
 * There are ATTACHED_MAX at most, and one that nobody has used for ATTACHED_IDLE_S is forgotten.
 */
#ifndef ATTACHED_H
#define ATTACHED_H

#include "prompt.h"

#define ATTACHED_MAX    8
#define ATTACHED_IDLE_S 900

struct attached;

struct attached_request {
    const char *session; /* id of one that this caller has; NULL: a new one */
    const char *text;
    bool complete; /* how the text could go on; else it is carried out */
    unsigned columns;
    const struct task_owner *owner; /* who asks */
};

/* Start; done() as in prompt.h, with what was printed in front of its text.  NULL: not started.
 * ERR_NOT_FOUND: he has no such session (any more). */
struct attached *attached_start(const struct attached_request *rq, prompt_done_fn *done, void *arg,
                                struct err *e);

/* What was started ends soon, and done() is not called any more. */
void attached_cancel(struct attached *a);

const char *attached_id(const struct attached *a);
bool attached_live(const struct attached *a);

/* It is over, in done() at the earliest. */
void attached_end(struct attached *a);

void attached_fini(void);

#endif
