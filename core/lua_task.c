/*
 * lua_task.c - paraph.task: sleep, all.
 */
#include <stdlib.h>

#include <lauxlib.h>

#include "bindings.h"
#include "frozen.h"
#include "gen.h"
#include "loop.h"
#include "scratch.h"
#include "task.h"

#define BRANCHES_MAX 64

/* --- sleep ----------------------------------------------------------------------------------- */

struct sleep_op {
    struct op op;
    struct loop_timer *timer;
    struct scratch_timer *scratch_timer; /* the same where the clock is a scratch's */
};

static void sleep_cancel(struct op *op) {
    struct sleep_op *o = (struct sleep_op *)op;

    loop_timer_stop(&o->timer);
    scratch_timer_stop(&o->scratch_timer);
}

static void on_slept(void *arg) {
    struct sleep_op *o = arg;

    sleep_cancel(&o->op);
    op_ready(&o->op, NULL);
}

static int l_sleep_finish(lua_State *L, int status, lua_KContext ctx) {
    struct sleep_op *o = (struct sleep_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return op_push_err(L, &o->op);
    op_close(&o->op);
    lua_pushboolean(L, true);
    return 1;
}

static int l_sleep(lua_State *L) {
    lua_Integer ms = luaL_checkinteger(L, 1);
    struct scratch *s = gen_scratch(L);
    struct sleep_op *o;

    task_check(L);
    luaL_argcheck(L, ms >= 0 && ms <= 86400000, 1, "milliseconds from 0 to a day");
    o = op_new(L, sizeof(*o), sleep_cancel, NULL);
    if (s != NULL)
        o->scratch_timer = scratch_timer_start(s, (uint64_t)ms, on_slept, o);
    else
        o->timer = loop_timer_start((uint64_t)ms, on_slept, o);
    if (o->timer == NULL && o->scratch_timer == NULL)
        return luaL_error(L, "not enough memory");
    return op_wait(L, &o->op, l_sleep_finish);
}

/* --- all ------------------------------------------------------------------------------------- */

/*
 * The branches outlive a cancelled op until their own next turn, so they share a block that the
 * last one frees.  The table of results is the op's user value while the op lives.
 */
struct branch {
    struct all *all;
    struct task *task;
    int index;
};

struct all {
    struct all_op *op; /* NULL: nobody waits any more */
    lua_State *L;      /* the generation's main state */
    int results;       /* registry reference */
    unsigned left;
    bool failed, unstarted;
    struct branch branches[];
};

struct all_op {
    struct op op;
    struct all *all;
};

static void all_free(struct all *a) {
    luaL_unref(a->L, LUA_REGISTRYINDEX, a->results);
    free(a);
}

static void all_cancel(struct op *op) {
    struct all_op *o = (struct all_op *)op;
    struct all *a = o->all;
    struct err e;

    err_set(&e, ERR_CANCELLED, "what waited for this has ended");
    a->op = NULL;
    o->all = NULL; /* the branches' from now on: they may end before the op is closed */
    for (struct branch *b = a->branches; b->all != NULL; b++)
        if (b->task != NULL) {
            task_disown(b->task);
            task_abort(b->task, &e);
        }
}

/* Stack: reference of the results, index, ok, two values: results[index] = {v1, v2}, or the error
 * of the first branch that failed as results.error. */
static int l_keep(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, lua_tointeger(L, 1));
    if (lua_toboolean(L, 3)) {
        lua_createtable(L, 2, 0);
        lua_pushvalue(L, 4);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, 5);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, lua_tointeger(L, 2));
    } else {
        lua_pushvalue(L, 4);
        lua_setfield(L, -2, "error");
    }
    return 0;
}

static void keep(struct branch *b, lua_State *co, int status, int nres) {
    struct all *a = b->all;
    bool ok = status == LUA_OK;

    if (!ok)
        nres = 1;
    if (!lua_checkstack(a->L, 8) || !lua_checkstack(co, 2)) {
        a->failed = true;
        return;
    }
    if (nres > 2)
        lua_pop(co, nres - 2);
    for (; nres < 2; nres++)
        lua_pushnil(co);
    lua_pushcfunction(a->L, l_keep);
    lua_pushinteger(a->L, a->results);
    lua_pushinteger(a->L, b->index);
    lua_pushboolean(a->L, ok);
    lua_xmove(co, a->L, 2);
    if (lua_pcall(a->L, 5, 0, 0) != LUA_OK)
        lua_pop(a->L, 1);
    if (!ok)
        a->failed = true;
}

static void on_branch_done(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct branch *b = arg;
    struct all *a = b->all;
    struct all_op *o = a->op;

    (void)trace;
    b->task = NULL;
    if (co == a->L) /* it never had a coroutine */
        a->failed = a->unstarted = true;
    else if (o != NULL)
        keep(b, co, status, nres);
    if (--a->left > 0)
        return;
    if (o == NULL)
        all_free(a);
    else
        op_ready(&o->op, NULL);
}

static void all_release(struct op *op) {
    struct all_op *o = (struct all_op *)op;

    if (o->all != NULL && o->all->left == 0)
        all_free(o->all);
    o->all = NULL;
}

static int l_all_finish(lua_State *L, int status, lua_KContext ctx) {
    struct all_op *o = (struct all_op *)ctx;
    bool failed, unstarted;

    (void)status;
    if (o->op.err != NULL)
        return op_push_err(L, &o->op);
    failed = o->all->failed;
    unstarted = o->all->unstarted;
    lua_rawgeti(L, LUA_REGISTRYINDEX, o->all->results);
    op_close(&o->op);
    if (unstarted)
        return luaL_error(L,
                          "a branch was not started: there is no memory for it, or more than %d "
                          "are alive",
                          TASK_ALIVE_MAX);
    if (failed) {
        lua_getfield(L, -1, "error");
        return lua_error(L);
    }
    return 1;
}

static int l_all(lua_State *L) {
    struct all_op *o;
    struct all *a;
    unsigned n;

    task_check(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    frozen_resolve(L, 1);
    n = (unsigned)lua_rawlen(L, 1);
    luaL_argcheck(L, n <= BRANCHES_MAX, 1, "at most 64 functions");
    lua_settop(L, 1);
    for (unsigned i = 1; i <= n; i++) {
        luaL_argcheck(L, lua_rawgeti(L, 1, i) == LUA_TFUNCTION, 1, "a list of functions");
        lua_pop(L, 1);
    }
    if (n == 0) {
        lua_newtable(L);
        return 1;
    }
    luaL_checkstack(L, (int)n + 8, NULL);
    lua_createtable(L, (int)n, 0);
    o = op_new(L, sizeof(*o), all_cancel, all_release);
    if ((a = calloc(1, sizeof(*a) + (n + 1) * sizeof(a->branches[0]))) == NULL)
        return luaL_error(L, "not enough memory");
    o->all = a;
    a->L = gen_state(gen_of(L));
    a->results = LUA_NOREF;
    lua_pushvalue(L, 2);
    a->results = luaL_ref(L, LUA_REGISTRYINDEX);
    a->op = o;
    a->left = n;
    for (unsigned i = 0; i < n; i++) {
        struct branch *b = &a->branches[i];

        b->all = a;
        b->index = (int)i + 1;
        lua_rawgeti(L, 1, i + 1);
        lua_xmove(L, a->L, 1);
        b->task = task_start(gen_of(L), a->L, 0, 0, NULL, on_branch_done, b);
    }
    return op_wait(L, &o->op, l_all_finish);
}

int lua_task_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"all", l_all}, {"sleep", l_sleep}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
