/*
 * check_step.h - the lines of `paraph check`, and waiting for one operation at a time.
 *
 * A step is one line on standard output: ok, failed (and what to do about it), skipped (and why),
 * or what somebody should look at: odd, or, of a replay, differs.  Only what failed is a failure.
 * The step under way is told on a terminal (terminal.h).
 * Only for check*.c.
 */
#ifndef CHECK_STEP_H
#define CHECK_STEP_H

#include "base.h"
#include "err.h"

void check_step_ok(const char *step, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_step_failed(const char *step, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_step_odd(const char *step, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_step_differs(const char *step, const char *fmt, ...) PRINTF_LIKE(2, 3);
void check_step_skipped(const char *step, const char *why);

/* One line more about the step told last. */
void check_step_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* From now on, an object for each step (see usage.c), on a line of its own; the last one is written
 * by check_step_flush(). */
void check_step_use_json(void);
void check_step_flush(void);

/* Steps that have failed. */
unsigned check_step_failures(void);

/* From now on, and for so long, steps may begin. */
void check_step_start_clock(unsigned seconds);

/* May `step` begin?  If not, it has failed, and that is told. */
bool check_step_may_begin(const char *step);

/* How an operation ended. */
struct check_step_outcome {
    bool done;
    struct err err;
    char text[512]; /* what there is to say of a success */
};

/* For its callback.  e->code ERR_NONE: it went well. */
void check_step_end(struct check_step_outcome *o, const struct err *e);

/* Run the loop until it has ended; tell a failure.  True: it went well. */
bool check_step_wait(const char *step, struct check_step_outcome *o);

#endif
