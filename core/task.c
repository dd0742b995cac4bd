#include "task.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "gen.h"
#include "loop.h"
#include "scratch.h"

#define OP_TYPE    "paraph.op"
#define TICK_MS    50 /* of the watchdog */
#define TICKS_BULK (TASK_BULK_MS / TICK_MS)
#define TRACE_MAX  ((size_t)4000)

struct task {
    lua_State *co;
    int ref; /* keeps co in the registry */
    struct gen *gen;
    struct op *op; /* what it waits for, or NULL */
    struct loop_timer *deadline;
    struct scratch_timer *scratch_deadline; /* the same where the clock is a scratch's */
    uint64_t until_ms;                      /* of loop_now_ms(); 0: no end */
    struct err aborted;                     /* code ERR_NONE: not aborted */
    int nargs;                              /* for the next resume */
    bool queued;
    task_done_fn *done;
    void *arg;
    const struct task_owner *owner;
    struct task *next; /* in the ready queue */
};

static struct task *ready_head, **ready_tail = &ready_head;
static struct task *running;
static unsigned tasks, ops;

/* --- the watchdog ---------------------------------------------------------------------------- */

static timer_t watchdog;
static bool watchdog_on;
static unsigned budget_ms;              /* of a slice */
static lua_State *volatile slice_state; /* that runs now, or NULL */
static volatile sig_atomic_t slice_ticks, bulk_ticks, in_bulk;

/* From here every instruction raises, so that pcall cannot swallow it. */
static void on_overdue(lua_State *L, lua_Debug *ar) {
    lua_sethook(L, on_overdue, LUA_MASKCOUNT, 1);
    lua_getinfo(L, "Sl", ar);
    luaL_error(L, "%s:%d: the script ran for more than %d ms without waiting", ar->short_src,
               ar->currentline, (int)budget_ms);
}

/* Ticks of the loop thread's own CPU clock; lua_sethook() may be called at any moment. */
static void on_tick(int signum) {
    lua_State *L = slice_state;

    (void)signum;
    if (L == NULL || (in_bulk && ++bulk_ticks < TICKS_BULK))
        return;
    if (++slice_ticks >= (int)(budget_ms / TICK_MS))
        lua_sethook(L, on_overdue, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void slice_begin(struct gen *g, lua_State *L) {
    gen_allow(g, TASK_SLICE_MEM);
    slice_ticks = bulk_ticks = in_bulk = 0;
    slice_state = L;
}

void task_bulk(bool on) {
    in_bulk = on;
}

static void slice_end(lua_State *outer) {
    slice_state = outer;
}

int task_watchdog_start(unsigned slice_ms) {
    const long ns = (long)TICK_MS * 1000000;
    const struct itimerspec every = {{0, ns}, {0, ns}};
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};

    budget_ms = slice_ms;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (sigaction(SIGVTALRM, &action, NULL) != 0 ||
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &watchdog) != 0)
        return -1;
    watchdog_on = true;
    return timer_settime(watchdog, 0, &every, NULL);
}

void task_watchdog_stop(void) {
    if (watchdog_on)
        timer_delete(watchdog);
    watchdog_on = false;
}

/* --- errors across the border ---------------------------------------------------------------- */

int task_push_err_table(lua_State *L, const struct err *e) {
    lua_createtable(L, 0, 5);
    lua_pushstring(L, err_word(e->code));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, e->message);
    lua_setfield(L, -2, "message");
    lua_pushinteger(L, err_status(e->code));
    lua_setfield(L, -2, "status");
    if (e->field[0] != '\0') {
        lua_pushstring(L, e->field);
        lua_setfield(L, -2, "field");
    }
    if (e->retry_after > 0) {
        lua_pushinteger(L, e->retry_after);
        lua_setfield(L, -2, "retry_after");
    }
    return 1;
}

int task_push_err(lua_State *L, const struct err *e) {
    lua_pushnil(L);
    task_push_err_table(L, e);
    return 2;
}

static const char *raw_string(lua_State *L, int table, const char *name) {
    lua_pushstring(L, name);
    return lua_rawget(L, table) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

void task_read_err(lua_State *L, int idx, struct err *e) {
    int top = lua_gettop(L);
    enum err_code code = ERR_NONE;
    const char *word, *message, *field;

    idx = lua_absindex(L, idx);
    if (lua_type(L, idx) == LUA_TTABLE && (word = raw_string(L, idx, "code")) != NULL)
        code = err_from_word(word);
    if (code == ERR_NONE) {
        err_set(e, ERR_INTERNAL_ERROR, "the handler returned neither a reply nor an error");
    } else {
        message = raw_string(L, idx, "message");
        field = raw_string(L, idx, "field");
        err_set_field(e, code, field != NULL ? field : "", "%s", message != NULL ? message : "");
        lua_pushliteral(L, "retry_after");
        if (lua_rawget(L, idx) == LUA_TNUMBER)
            e->retry_after = (int)lua_tonumber(L, -1);
    }
    lua_settop(L, top);
}

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

    if (t->aborted.code == ERR_NONE)
        return false;
    op->err = t->aborted;
    op->state = OP_READY;
    return true;
}

int op_wait(lua_State *L, struct op *op, lua_KFunction finish) {
    struct task *t;

    if (op->state == OP_READY)
        return finish(L, LUA_OK, (lua_KContext)op);
    op->state = OP_PENDING;
    t = task_check(L);
    if (t->aborted.code != ERR_NONE) {
        op->cancel(op);
        op->err = t->aborted;
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
    if (e != NULL)
        op->err = *e;
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
    op->state = OP_CLOSED;
    ops--;
}

int op_push_err(lua_State *L, struct op *op) {
    struct err e = op->err;

    op_close(op);
    return task_push_err(L, &e);
}

unsigned op_count(void) {
    return ops;
}

/* --- tasks ----------------------------------------------------------------------------------- */

/* The text of an error value: its message if it is one of our error tables. */
static const char *error_text(lua_State *L, int idx) {
    if (lua_istable(L, idx)) {
        lua_getfield(L, idx, "message");
        lua_replace(L, idx);
    }
    return luaL_tolstring(L, idx, NULL);
}

static int l_traceback(lua_State *L) {
    luaL_traceback(L, L, error_text(L, 1), 1);
    return 1;
}

static int l_traceback_of(lua_State *L) {
    luaL_traceback(L, lua_touserdata(L, 1), error_text(L, 2), 0);
    return 1;
}

/* The text of the error value at the top of co with its chain of calls, into out. */
static void describe(struct task *t, char *out, size_t size) {
    lua_State *L = gen_state(t->gen);

    snprintf(out, size, "an error that could not be described");
    if (!lua_checkstack(L, 4) || !lua_checkstack(t->co, 1))
        return;
    lua_pushcfunction(L, l_traceback_of);
    lua_pushlightuserdata(L, t->co);
    lua_pushvalue(t->co, -1);
    lua_xmove(t->co, L, 1);
    gen_allow(t->gen, TASK_SLICE_MEM);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        snprintf(out, size, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
}

static void task_free(struct task *t) {
    lua_State *L = gen_state(t->gen), *outer_state = slice_state;

    loop_timer_stop(&t->deadline);
    scratch_timer_stop(&t->scratch_deadline);
    if (t->co != NULL) {
        slice_begin(t->gen, t->co);
        lua_resetthread(t->co); /* runs what is to be closed */
        slice_end(outer_state);
        luaL_unref(L, LUA_REGISTRYINDEX, t->ref);
    }
    tasks--;
    gen_release(t->gen);
    free(t);
}

static void task_end(struct task *t, int status, int nres) {
    char trace[TRACE_MAX] = "";

    if (status != LUA_OK)
        describe(t, trace, sizeof(trace));
    t->done(t->co, status, nres, trace, t->arg);
    task_free(t);
}

/* The one place that runs Lua code of a task.  False if the task has ended. */
static bool task_step(struct task *t) {
    struct task *outer = running;
    lua_State *outer_state = slice_state;
    int nres = 0, status;

    t->op = NULL;
    running = t;
    slice_begin(t->gen, t->co);
    status = lua_resume(t->co, gen_state(t->gen), t->nargs, &nres);
    slice_end(outer_state);
    running = outer;
    t->nargs = 0;
    if (status == LUA_YIELD && t->op != NULL)
        return true;
    if (status == LUA_YIELD)
        status = LUA_OK; /* cannot happen: scripts have no coroutine.yield */
    task_end(t, status, nres);
    return false;
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

    t->co = lua_newthread(L);
    lua_pushvalue(L, -1);
    t->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    if (!lua_checkstack(t->co, n + LUA_MINSTACK))
        return luaL_error(L, "not enough memory");
    lua_xmove(L, t->co, n);
    return 0;
}

struct task *task_start(struct gen *g, lua_State *from, int nargs, uint64_t deadline_ms,
                        const struct task_owner *owner, task_done_fn *done, void *arg) {
    struct task *t = calloc(1, sizeof(*t));
    bool ok;

    if (t == NULL) {
        lua_pop(from, nargs + 1);
        lua_pushliteral(from, "");
        done(from, LUA_ERRMEM, 0, "not enough memory", arg);
        lua_pop(from, 1);
        return NULL;
    }
    t->gen = g;
    t->ref = LUA_NOREF;
    t->nargs = nargs;
    t->done = done;
    t->arg = arg;
    t->owner = owner == NULL && running != NULL ? running->owner : owner;
    t->until_ms = running != NULL ? running->until_ms : 0;
    if (deadline_ms > 0)
        t->until_ms = loop_now_ms() + deadline_ms;
    gen_hold(g);
    tasks++;
    lua_pushcfunction(from, l_task_make);
    lua_insert(from, -nargs - 2);
    lua_pushlightuserdata(from, t);
    lua_insert(from, -nargs - 2);
    gen_allow(g, TASK_SLICE_MEM);
    ok = lua_pcall(from, nargs + 2, 0, 0) == LUA_OK;
    if (!ok) {
        done(from, LUA_ERRMEM, 0, "not enough memory", arg);
        lua_pop(from, 1);
        task_free(t);
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

    t->aborted = *e;
    if (op == NULL || op->state != OP_PENDING)
        return; /* its next wait will fail */
    op->cancel(op);
    op_ready(op, e);
}

bool task_run_ready(void) {
    bool any = ready_head != NULL;
    struct task *t;

    while ((t = ready_head) != NULL) {
        ready_head = t->next;
        if (ready_head == NULL)
            ready_tail = &ready_head;
        t->queued = false;
        (void)task_step(t);
    }
    return any;
}

int task_pcall(struct gen *g, lua_State *L, int nargs, int nresults) {
    int base = lua_gettop(L) - nargs, status;
    lua_State *outer_state = slice_state;

    lua_pushcfunction(L, l_traceback);
    lua_insert(L, base);
    slice_begin(g, L);
    status = lua_pcall(L, nargs, nresults, base);
    slice_end(outer_state);
    lua_sethook(L, NULL, 0, 0);
    lua_remove(L, base);
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

void task_disown(struct task *t) {
    t->owner = NULL;
}

unsigned task_count(void) {
    return tasks;
}
