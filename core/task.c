#include "task.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "gen.h"
#include "loop.h"
#include "scratch.h"

#define OP_TYPE   "paraph.op"
#define TRACE_MAX ((size_t)4000)

struct task {
    lua_State *co;
    int ref; /* keeps co in the registry */
    struct gen *gen;
    struct op *op; /* what it waits for, or NULL */
    struct loop_timer *deadline;
    struct scratch_timer *scratch_deadline; /* the same where the clock is a scratch's */
    uint64_t until_ms;                      /* of loop_now_ms(); 0: no end */
    const struct err *aborted;              /* kept: why; NULL: it is not */
    int nargs;                              /* for the next resume */
    bool queued;
    task_done_fn *done;
    void *arg;
    const struct task_owner *owner;
    const struct log_scope *scope; /* held */
    struct task_account *account;  /* shared with the task that started it */
    char *trace;                   /* of the error that nothing caught, or NULL */
    struct task *next;             /* in the ready queue */
};

static struct task *ready_head, **ready_tail = &ready_head;
static struct task *running;
static unsigned tasks, ops;

/* --- operations ------------------------------------------------------------------------------ */

static int l_op_gc(lua_State *L) {
    op_close(lua_touserdata(L, 1));
    return 0;
}

void *op_new(lua_State *L, size_t size, void (*cancel)(struct op *), void (*release)(struct op *)) {
    struct op *op = lua_newuserdatauv(L, size, 1);

    memset(op, 0, size);
    op->state = OP_CLOSED; /* until the metatable is on, there is nothing to let go of */
    op->cancel = cancel;
    op->release = release;
    if (luaL_newmetatable(L, OP_TYPE)) {
        lua_pushcfunction(L, l_op_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    op->state = OP_IDLE;
    ops++;
    return op;
}

struct task *task_check(lua_State *L) {
    if (task_in_hook())
        luaL_error(L,
                   "a policy hook cannot wait: it may not use the store, send mail, fetch, sleep "
                   "or start branches, but only judge what it is given");
    if (running == NULL || running->co != L || !lua_isyieldable(L))
        luaL_error(L, "cannot wait here (outside a request, or inside a callback of string.gsub, "
                      "table.sort or a metamethod of C)");
    return running;
}

static void task_enqueue(struct task *t) {
    if (t->queued)
        return;
    t->queued = true;
    t->next = NULL;
    *ready_tail = t;
    ready_tail = &t->next;
}

bool op_refused(lua_State *L, struct op *op) {
    struct task *t = task_check(L);

    if (t->aborted == NULL)
        return false;
    op->err = err_keep(t->aborted);
    op->state = OP_READY;
    return true;
}

int op_wait(lua_State *L, struct op *op, lua_KFunction finish) {
    struct task *t;

    if (op->state == OP_READY)
        return finish(L, LUA_OK, (lua_KContext)op);
    op->state = OP_PENDING;
    t = task_check(L);
    if (t->aborted != NULL) {
        op->cancel(op);
        op->err = err_keep(t->aborted);
        op->state = OP_READY;
        return finish(L, LUA_OK, (lua_KContext)op);
    }
    op->task = t;
    t->op = op;
    return lua_yieldk(L, 0, (lua_KContext)op, finish);
}

void op_ready(struct op *op, const struct err *e) {
    assert(op->state == OP_PENDING || op->state == OP_IDLE);
    op->state = OP_READY;
    op->err = err_keep(e);
    if (op->task != NULL)
        task_enqueue(op->task);
}

void op_close(struct op *op) {
    if (op->state == OP_CLOSED)
        return;
    if (op->state == OP_PENDING)
        op->cancel(op);
    if (op->release != NULL)
        op->release(op);
    if (op->task != NULL && op->task->op == op)
        op->task->op = NULL;
    op->task = NULL;
    err_let_go(&op->err);
    op->state = OP_CLOSED;
    ops--;
}

int op_push_err(lua_State *L, struct op *op) {
    struct err e = *op->err;

    op_close(op);
    return task_push_err(L, &e);
}

unsigned op_count(void) {
    return ops;
}

/* --- tasks ----------------------------------------------------------------------------------- */

/* The message handler of a task: keeps the chain of calls, and leaves the error as it is. */
static int l_trace(lua_State *L) {
    task_trace(L);
    free(running->trace);
    running->trace = strndup(lua_tostring(L, -1), TRACE_MAX);
    lua_settop(L, 1);
    return 1;
}

static int l_body_finish(lua_State *L, int status, lua_KContext ctx) {
    (void)ctx;
    if (status != LUA_OK && status != LUA_YIELD)
        return lua_error(L);
    return lua_gettop(L) - 1;
}

/* The bottom of each coroutine.  A pcall is what allows hooks again after one has raised: without
 * it, what is then to be closed would run beyond the watchdog. */
static int l_body(lua_State *L) {
    lua_pushcfunction(L, l_trace);
    lua_insert(L, 1);
    return l_body_finish(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, l_body_finish), 0);
}

/* `ended`: its coroutine has returned, with so few values that C has made no room for them on its
 * stack: that never shrinks again. */
static void task_free(struct task *t, bool ended) {
    loop_timer_stop(&t->deadline);
    scratch_timer_stop(&t->scratch_deadline);
    gen_leave_thread(t->gen, t->co, t->ref, ended);
    task_account_release(t->account);
    tasks--;
    gen_release(t->gen);
    err_let_go(&t->aborted);
    free(t->trace);
    log_release(t->scope);
    free(t);
}

static void task_end(struct task *t, int status, int nres) {
    struct task_slice slice;
    const char *trace = "";

    if (status == LUA_ERRMEM)
        trace =
            "not enough memory: between two waits a script may grow by 64 MiB, and all together "
            "by 512";
    else if (status != LUA_OK)
        trace = t->trace != NULL ? t->trace : "an error that could not be described";
    task_slice_begin(&slice, t->gen, t->co, t->account); /* results may have metamethods */
    t->done(t->co, status, nres, trace, t->arg);
    task_slice_end(&slice);
    task_free(t, status == LUA_OK && lua_status(t->co) == LUA_OK && nres <= LUA_MINSTACK);
}

/* The one place that runs Lua code of a task.  False if the task has ended. */
static bool resume(struct task *t) {
    struct task *outer = running;
    struct task_slice slice;
    int nres = 0, status;

    if (t->op != NULL)
        t->op->task = NULL; /* an error in its finish leaves it to the collector, after t */
    t->op = NULL;
    running = t;
    task_slice_begin(&slice, t->gen, t->co, t->account);
    status = lua_resume(t->co, gen_state(t->gen), t->nargs, &nres);
    task_slice_end(&slice);
    running = outer;
    t->nargs = 0;
    if (status == LUA_YIELD && t->op != NULL)
        return true;
    if (status == LUA_YIELD)
        status = LUA_OK; /* cannot happen: scripts have no coroutine.yield */
    task_end(t, status, nres);
    return false;
}

static bool task_step(struct task *t) {
    const struct log_scope *before = log_enter(t->scope);
    bool alive = resume(t);

    log_enter(before);
    return alive;
}

static void on_deadline(void *arg) {
    struct task *t = arg;
    struct err e;

    loop_timer_stop(&t->deadline);
    scratch_timer_stop(&t->scratch_deadline);
    err_set(&e, ERR_TIMEOUT, "there was no answer in time");
    task_abort(t, &e);
}

static void start_deadline(struct task *t, uint64_t ms) {
    struct scratch *s = gen_scratch(gen_state(t->gen));

    if (s != NULL)
        t->scratch_deadline = scratch_timer_start(s, ms, on_deadline, t);
    else
        t->deadline = loop_timer_start(ms, on_deadline, t);
}

/* On the main state, protected: make the coroutine and move function and arguments over to it. */
static int l_task_make(lua_State *L) {
    struct task *t = lua_touserdata(L, 1);
    int n = lua_gettop(L) - 1;

    t->co = gen_take_thread(t->gen, &t->ref);
    if (!lua_checkstack(t->co, n + LUA_MINSTACK))
        return luaL_error(L, "not enough memory");
    lua_pushcfunction(t->co, l_body);
    lua_xmove(L, t->co, n);
    return 0;
}

/* A task without its coroutine; NULL: there is no memory, or it is one branch too many. */
static struct task *task_new(struct gen *g, bool job) {
    struct task *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    if (running == NULL)
        t->account = task_account_new(job);
    else if (task_account_hold(running->account))
        t->account = running->account;
    if (t->account == NULL) {
        free(t);
        return NULL;
    }
    t->gen = g;
    t->ref = LUA_NOREF;
    gen_hold(g);
    tasks++;
    return t;
}

/* Of a task of this owner; NULL: of a branch. */
static const struct log_scope *scope_of(const struct task_owner *owner) {
    struct log_scope scope = {0};

    if (owner == NULL)
        return log_hold();
    strncpy(scope.request_id, owner->request_id, sizeof(scope.request_id) - 1);
    if (owner->trace != NULL)
        scope.trace = *owner->trace;
    return log_hold_copy(&scope);
}

struct task *task_start(struct gen *g, lua_State *from, int nargs, uint64_t deadline_ms,
                        const struct task_owner *owner, task_done_fn *done, void *arg) {
    static const char why[] = "not enough memory, or too many branches at once";
    struct task *t = task_new(g, deadline_ms == 0);

    if (t == NULL) {
        lua_pop(from, nargs + 1);
        lua_pushliteral(from, "");
        done(from, LUA_ERRMEM, 0, why, arg);
        lua_pop(from, 1);
        return NULL;
    }
    t->nargs = nargs + 1;
    t->done = done;
    t->arg = arg;
    t->owner = owner == NULL && running != NULL ? running->owner : owner;
    t->scope = scope_of(owner);
    t->until_ms = running != NULL ? running->until_ms : 0;
    if (deadline_ms > 0)
        t->until_ms = loop_now_ms() + deadline_ms;
    lua_pushcfunction(from, l_task_make);
    lua_insert(from, -nargs - 2);
    lua_pushlightuserdata(from, t);
    lua_insert(from, -nargs - 2);
    if (running == NULL)
        gen_allow(g, TASK_SLICE_MEM);
    if (lua_pcall(from, nargs + 2, 0, 0) != LUA_OK) {
        done(from, LUA_ERRMEM, 0, why, arg);
        lua_pop(from, 1);
        task_free(t, false);
        return NULL;
    }
    if (deadline_ms > 0)
        start_deadline(t, deadline_ms);
    /* A request that does not wait is answered at once; a branch waits for its starter's turn. */
    if (running == NULL)
        return task_step(t) ? t : NULL;
    task_enqueue(t);
    return t;
}

void task_abort(struct task *t, const struct err *e) {
    struct op *op = t->op;

    err_let_go(&t->aborted);
    t->aborted = err_keep(e);
    if (op == NULL || op->state != OP_PENDING)
        return; /* its next wait will fail */
    op->cancel(op);
    op_ready(op, e);
}

bool task_are_ready(void) {
    return ready_head != NULL;
}

bool task_run_ready(void) {
    struct task **end = ready_tail, *t;
    bool any = ready_head != NULL, more = any;
    int ticks = task_ticks();

    while (more) {
        t = ready_head;
        more = &t->next != end && task_ticks() == ticks;
        ready_head = t->next;
        if (ready_head == NULL)
            ready_tail = &ready_head;
        t->queued = false;
        (void)task_step(t);
    }
    return any;
}

/* lua_pcall with a message handler. */
static int pcall_with(lua_State *L, lua_CFunction handler, int nargs, int nresults) {
    int base = lua_gettop(L) - nargs, status;

    lua_pushcfunction(L, handler);
    lua_insert(L, base);
    status = lua_pcall(L, nargs, nresults, base);
    lua_remove(L, base);
    return status;
}

int task_pcall(struct gen *g, lua_State *L, int nargs, int nresults) {
    struct task_slice slice;
    int status;

    task_slice_begin(&slice, g, L, NULL);
    status = pcall_with(L, task_trace, nargs, nresults);
    task_slice_end(&slice);
    return status;
}

static int l_hook_failed(lua_State *L) {
    const char *line = task_push_line(L, 1);

    lua_createtable(L, 2, 0);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, 1);
    luaL_traceback(L, L, line, 1);
    lua_rawseti(L, -2, 2);
    return 1;
}

int task_pcall_hook(struct gen *g, lua_State *L, int nargs, int nresults) {
    struct task_slice slice;
    int status;

    task_hook_begin(&slice, g, L);
    status = pcall_with(L, l_hook_failed, nargs, nresults);
    task_slice_end(&slice);
    if (status == LUA_OK)
        return LUA_OK;
    if (lua_istable(L, -1)) { /* nothing is allocated here: there may be no memory */
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        lua_remove(L, -3);
    } else {
        lua_pushvalue(L, -1);
    }
    return status;
}

struct task *task_running(void) {
    return running;
}

uint64_t task_deadline_ms(const struct task *t) {
    return t->until_ms;
}

const struct task_owner *task_owner(const struct task *t) {
    return t->owner;
}

const struct log_scope *task_scope(void) {
    return running != NULL ? running->scope : NULL;
}

/* Others hold the scope that there was. */
void task_set_mail(const char *trace_id) {
    struct log_scope scope;
    const struct log_scope *before;

    if (running == NULL || strcmp(running->scope->mail_trace_id, trace_id) == 0)
        return;
    scope = *running->scope;
    snprintf(scope.mail_trace_id, sizeof(scope.mail_trace_id), "%s", trace_id);
    before = running->scope;
    running->scope = log_hold_copy(&scope);
    log_enter(running->scope);
    log_release(before);
}

void task_disown(struct task *t) {
    t->owner = NULL;
}

unsigned task_count(void) {
    return tasks;
}
