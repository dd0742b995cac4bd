/*
 * task.h - coroutines and the operations they wait for.
 *
 * task  one coroutine of one generation, serving one request (or one branch of task.all).
 * op    one asynchronous operation.  It lives in a userdata on the stack of the coroutine that
 *       waits for it, so the stack is its owner and its anchor.
 *
 * lua_resume() is called from one place, in task.c.  Callbacks from the loop never run Lua: they
 * mark their op ready, and the queue resumes the task later in the same turn.
 *
 * A binding that waits is a pair:
 *
 *     static int l_x(lua_State *L) {
 *         task_check(L);                        1 may we wait here?
 *         ... luaL_check... all arguments       2
 *         o = op_new(L, sizeof *o, x_cancel, x_release);   3 owner, closed, on this stack
 *         if (!op_refused(L, &o->op))
 *             o->handle = x_start(..., on_x_done, o);      4 start; or op_ready(.., &e)
 *         return op_wait(L, &o->op, l_x_finish);           5
 *     }
 *     static int l_x_finish(lua_State *L, int status, lua_KContext ctx) {
 *         struct x_op *o = (struct x_op *)ctx;
 *         if (o->op.err != NULL)
 *             return op_push_err(L, &o->op);    nil, err
 *         ... push the results ...
 *         op_close(&o->op);
 *         return n;
 *     }
 */
#ifndef TASK_H
#define TASK_H

#include <lua.h>

#include "base.h"
#include "err.h"
#include "log.h"
#include "task_budget.h" /* part of this interface */

struct gen;
struct task;

enum op_state {
    OP_IDLE,    /* made, nothing started */
    OP_PENDING, /* started; the callback will come unless cancelled */
    OP_READY,   /* result or err is there */
    OP_CLOSED   /* everything let go */
};

struct op {
    enum op_state state;
    struct task *task;            /* that waits, or NULL */
    const struct err *err;        /* kept: why it failed; NULL: it did not */
    void (*cancel)(struct op *);  /* synchronous: no callback after it returns */
    void (*release)(struct op *); /* free what the result holds; may be NULL */
};

/* Push a zeroed op of `size` bytes (struct op first).  Raises when out of memory. */
void *op_new(lua_State *L, size_t size, void (*cancel)(struct op *), void (*release)(struct op *));

/* Wait until op_ready(), then continue in finish.  If it is ready already, finish at once.  An
 * op in OP_IDLE counts as started (becomes OP_PENDING). */
int op_wait(lua_State *L, struct op *op, lua_KFunction finish);

/* True if the task was aborted: then the op is ready with the reason, and nothing is to be started
 * for it.  Asked between op_new() and the start of whatever has an effect. */
bool op_refused(lua_State *L, struct op *op);

/* From the C side, once, from any callback: done.  e NULL or e->code ERR_NONE: success. */
void op_ready(struct op *op, const struct err *e);

/* Close the op and push nil, err: what a finish function returns on failure (2). */
int op_push_err(lua_State *L, struct op *op);

/* Let go of everything now rather than at collection; idempotent. */
void op_close(struct op *op);

/* Push nil and the err as a table {code, message, field?, status, retry_after?}; returns 2. */
int task_push_err(lua_State *L, const struct err *e);

/* The same table alone; returns 1. */
int task_push_err_table(lua_State *L, const struct err *e);

/* Read such a table at idx (absent or odd members take defaults); ERR_INTERNAL_ERROR if it is
 * none. */
void task_read_err(lua_State *L, int idx, struct err *e);

/* Message handlers: the text of an error, behind the file and line where it was raised; and that
 * with the chain of calls. */
int task_place(lua_State *L);
int task_trace(lua_State *L);

/* In a message handler: push the text with its place, on one line that is not too long. */
const char *task_push_line(lua_State *L, int idx);

/* The task that runs on L, if it may wait here; else raises "cannot wait here ...". */
struct task *task_check(lua_State *L);

/* The task that runs now, or NULL. */
struct task *task_running(void);

/* When it is cut off, in loop_now_ms(): its own deadline, or that of the task that started it; 0:
 * never. */
uint64_t task_deadline_ms(const struct task *t);

/* On whose behalf a task runs. */
struct task_owner {
    const char *request_id;
    const char *caller;  /* name of the identity */
    const char *method;  /* of AUTH, by which it is known; "job", "test" ... where nobody called */
    const char *session; /* id of the one he is signed in by; NULL or "": none */
    unsigned roles;      /* a set of enum role */
    const struct log_trace *trace; /* NULL: none */
};

/* The owner given to task_start(), inherited by tasks that a task starts; NULL if there is none,
 * or after task_disown(). */
const struct task_owner *task_owner(const struct task *t);
void task_disown(struct task *t);

/* The log's scope of the task that runs, or NULL: from its owner, or as the task that started it
 * had it then. */
const struct log_scope *task_scope(void);

/* What the task that runs does from now on is about the mail with that trace; "": about none. */
void task_set_mail(const char *trace_id);

/*
 * Run the function and its nargs arguments at the top of `from` (the generation's main state) as
 * a task; they are popped.  done() is called exactly once, possibly before task_start() returns,
 * with the nres results at the top of co if status is LUA_OK, else with the error value there and
 * `trace`, its text with the chain of calls.  deadline_ms 0: none.  The result is NULL when the
 * task has ended already, or could not be made; done() was called in both cases.
 */
typedef void task_done_fn(lua_State *co, int status, int nres, const char *trace, void *arg);
struct task *task_start(struct gen *g, lua_State *from, int nargs, uint64_t deadline_ms,
                        const struct task_owner *owner, task_done_fn *done, void *arg);

/* lua_pcall with the traceback as its error, under the same budgets of time and memory as a slice
 * of a task: for what runs outside a task. */
int task_pcall(struct gen *g, lua_State *L, int nargs, int nresults);

/* The same as a hook: with the budgets of one, inside or outside of a task; nothing in it can wait.
 * It leaves two strings for an error: one line that begins with file and line, and that with the
 * chain of calls.  They need two free slots of the stack. */
int task_pcall_hook(struct gen *g, lua_State *L, int nargs, int nresults);

/* Make what the task waits for fail with e, now or at its next wait. */
void task_abort(struct task *t, const struct err *e);

/* Resume the tasks whose op has become ready, but not for long: others wait for the loop.  True if
 * there was one. */
bool task_run_ready(void);
bool task_are_ready(void); /* Is there one? */

/* Tasks alive; operations alive (for tests: zero after a collection). */
unsigned task_count(void);
unsigned op_count(void);

#endif
