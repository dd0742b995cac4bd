/*
 * lua_prompt.c - paraph.prompt: lines of operators who are attached to this service.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "attached.h"
#include "bindings.h"
#include "env.h"
#include "gen.h"
#include "task.h"

#define COLUMNS_MIN 20
#define COLUMNS_MAX 1000

struct prompt_op {
    struct op op;
    struct attached *session; /* under way; NULL: it has ended */
    char id[40];
    bool live;
    enum prompt_verb verb;
    char *text, *more;
};

static void prompt_op_cancel(struct op *op) {
    attached_cancel(((struct prompt_op *)op)->session);
}

static void prompt_op_release(struct op *op) {
    struct prompt_op *o = (struct prompt_op *)op;

    free(o->text);
    free(o->more);
}

static void on_done(const struct prompt_answer *a, void *arg) {
    struct prompt_op *o = arg;
    struct err e = {0};

    o->verb = a->verb;
    o->text = strdup(a->text);
    o->more = strdup(a->more);
    o->live = attached_live(o->session);
    if (a->verb == PROMPT_QUIT)
        attached_end(o->session);
    if (o->text == NULL || o->more == NULL)
        err_set(&e, ERR_INTERNAL_ERROR, "not enough memory for the answer");
    op_ready(&o->op, &e);
}

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static int l_finish(lua_State *L, int status, lua_KContext ctx) {
    struct prompt_op *o = (struct prompt_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return op_push_err(L, &o->op);
    lua_createtable(L, 0, 6);
    set_text(L, "session", o->id);
    set_text(L, "word", prompt_word(o->verb));
    set_text(L, "text", o->text);
    set_text(L, "more", o->more);
    set_text(L, "name", o->live ? env_sender() : "dry");
    lua_pushboolean(L, o->live);
    lua_setfield(L, -2, "live");
    op_close(&o->op);
    return 1;
}

/* A member of the request at 1, or NULL. */
static const char *member(lua_State *L, const char *name) {
    return lua_getfield(L, 1, name) == LUA_TNIL ? NULL : luaL_checkstring(L, -1);
}

/* run{session?, line | complete, columns} */
static int l_run(lua_State *L) {
    struct attached_request rq = {0};
    const char *begun;
    lua_Integer columns;
    struct prompt_op *o;
    struct err e;

    rq.owner = task_owner(task_check(L));
    luaL_checktype(L, 1, LUA_TTABLE);
    rq.session = member(L, "session");
    rq.text = member(L, "line");
    begun = member(L, "complete");
    luaL_argcheck(L, (rq.text == NULL) != (begun == NULL), 1, "either line or complete is needed");
    rq.complete = begun != NULL;
    if (rq.complete)
        rq.text = begun;
    lua_getfield(L, 1, "columns");
    columns = luaL_checkinteger(L, -1);
    luaL_argcheck(L, columns >= COLUMNS_MIN && columns <= COLUMNS_MAX, 1, "columns: 20 to 1000");
    rq.columns = (unsigned)columns;
    luaL_argcheck(L, rq.owner != NULL && gen_scratch(L) == NULL, 1, "nobody is attached here");
    o = op_new(L, sizeof(*o), prompt_op_cancel, prompt_op_release);
    if (op_refused(L, &o->op))
        return op_wait(L, &o->op, l_finish);
    if ((o->session = attached_start(&rq, on_done, o, &e)) == NULL)
        op_ready(&o->op, &e);
    else
        strncpy(o->id, attached_id(o->session), sizeof(o->id) - 1);
    return op_wait(L, &o->op, l_finish);
}

int lua_prompt_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"run", l_run}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
