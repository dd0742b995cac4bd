/*
 * task_budget.h - what scripts may use: CPU time, and memory of their generation.
 *
 * slice    what runs between two waits.  A task is a row of slices.
 * hook     a policy's function, called with a budget of its own that can be survived.
 * account  what a task and the branches it started have used, in all their slices.
 *
 * The watchdog counts ticks of the loop thread's own CPU clock, and costs nothing until one of the
 * budgets is used up.  From then on every instruction raises, so that no pcall swallows it; what
 * runs in C for long asks task_check_time() on the way.
 */
#ifndef TASK_BUDGET_H
#define TASK_BUDGET_H

#include <lua.h>
#include <signal.h>

#include "base.h"

struct gen;

#ifdef __SANITIZE_ADDRESS__
#define TASK_SLICE_MS 750 /* the same work takes three times as long */
#else
#define TASK_SLICE_MS 250
#endif
#define TASK_SLICE_TEST_MS 2000 /* in tests: on a slow machine, beside others */
#define TASK_BULK_MS       5000 /* of a slice; of a request in all, twice as much */

/* Of a hook, in tests too, since they try what goes live. */
#define TASK_HOOK_MS (TASK_SLICE_MS * 2 / 5)

/* The other budgets of time follow that of a slice: 2 s, 20 s. */
#define TASK_REQUEST_MS(slice_ms) (1000 + (slice_ms)*4)
#define TASK_JOB_MS(slice_ms)     (10 * TASK_REQUEST_MS(slice_ms))

#define TASK_SLICE_MEM (64 * MIB) /* by which a slice may grow its generation */
#define TASK_HOOK_MEM  (32 * MIB)
#define TASK_MEM       (128 * MIB) /* by which a task may grow it in all */
#define TASK_BLOBS     (256 * MIB) /* that it may hold outside of Lua */
#define TASK_ALIVE_MAX 1000        /* branches of branches are many, soon */
#define TASK_EVENTS    100         /* that a request may log; a job: ten times as many */

struct task_account;

struct task_slice {
    struct task_slice *outer; /* that this one interrupts, or NULL */
    lua_State *L;
    struct gen *gen;
    struct task_account *account; /* or NULL */
    size_t limit, bytes;          /* of the generation's memory, before */
    int max_ticks, hook_ticks;    /* its own, and what its hooks have used */
    unsigned events;              /* logged, if there is no account */
    volatile sig_atomic_t ticks, bulk_ticks, in_bulk;
    bool hook;
};

/* The account of a request, or of a job, which goes through everything there is.  NULL: no memory.
 * Each of its tasks holds it. */
struct task_account *task_account_new(bool job);
/* False: the task that asks has as many branches alive as may be. */
bool task_account_hold(struct task_account *a);
void task_account_release(struct task_account *a);

/* What runs on L until task_slice_end() is one slice, on an account or on none. */
void task_slice_begin(struct task_slice *s, struct gen *g, lua_State *L, struct task_account *a);
void task_slice_end(struct task_slice *s);

/* The same for a hook: what it uses is not taken from the slice around it, but all hooks of a slice
 * have as much as that in all.  A hook in a hook has what that one has left. */
void task_hook_begin(struct task_slice *s, struct gen *g, lua_State *L);
bool task_in_hook(void);

/* Book n bytes that a script holds outside of Lua; raises if they are too many.  The account to
 * give back to, or NULL where there is none. */
struct task_account *task_charge(lua_State *L, size_t n);
void task_uncharge(struct task_account *a, size_t n);

/* Count an event that a script writes to the log: one of so many, the first one too many, or one
 * that nobody is told of any more. */
enum task_event { TASK_EVENT_FINE, TASK_EVENT_LAST, TASK_EVENT_NONE };
enum task_event task_count_event(void);

/* The ticks of the watchdog so far: that they went on says that something took long. */
int task_ticks(void);

/* Raises if a budget is used up: for loops in C, where no instruction is run. */
void task_check_time(lua_State *L);
bool task_is_over(void);

/* Between true and false a binding works through bytes whose number is bounded (parsing a body,
 * building a message): that is not the script's doing, and has a budget of its own, TASK_BULK_MS a
 * slice, but none in a hook.  An error raised in between needs no task_bulk(false). */
void task_bulk(bool on);

int task_watchdog_start(unsigned slice_ms);
void task_watchdog_stop(void);

#endif
