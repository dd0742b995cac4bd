/*
 * lua_claim.c - claims: store.claim(), and the methods note and finish.
 */
#include "lua_claim.h"

#include <string.h>

#include <lauxlib.h>

#include "clock.h"
#include "gen.h"
#include "lua_store.h"

#define CLAIM_TYPE "paraph.claim"

/* User values: 1 the collection, 2 the id. */
struct claim {
    bool held, finished;
    char version[STORE_VERSION_SIZE]; /* of the document, as the claim last wrote it */
};

struct claim_op {
    struct lua_store_op store;
    int claim; /* where on the stack the claim is that writes */
    bool ends; /* the claim, with this write */
};

static const char *const options[] = {"remove", "with", NULL};

static void set_text(json_t *fields, const char *name, const char *text) {
    (void)json_object_set_new(fields, name, json_string(text));
}

/* Of a failed write nobody knows whether it took place: no mail leaves by that claim until another
 * one has succeeded, which its precondition allows only if it did not. */
static int l_written(lua_State *L, int status, lua_KContext ctx) {
    struct claim_op *o = (struct claim_op *)ctx;
    struct claim *claim = lua_touserdata(L, o->claim);
    struct op *op = &o->store.op;

    (void)status;
    claim->held = op->err == NULL && o->store.reply->found && !o->ends;
    if (op->err != NULL)
        return op_push_err(L, op);
    if (o->store.reply->found) {
        memcpy(claim->version, o->store.reply->version, sizeof(claim->version));
        claim->finished = o->ends;
        lua_pushvalue(L, o->claim);
    } else {
        lua_pushnil(L);
    }
    op_close(op);
    return 1;
}

/* Write the members at `members` for the claim at `claim`; the options are behind the members. */
static int start_writing(lua_State *L, struct store_request *rq, int claim, int members,
                         const char *status) {
    struct claim_op *o;
    char now[CLOCK_TEXT_SIZE];

    if ((o = lua_store_op_new(L, sizeof(*o), STORE_UPDATE, members)) == NULL)
        return 2;
    o->claim = claim;
    if (!lua_store_with_option(L, members + 1, &o->store))
        return 2;
    if (status != NULL)
        set_text(o->store.fields, "status", status);
    if (claim != 1) {
        clock_format(now, gen_now_us(L));
        set_text(o->store.fields, "sending_since", now);
    }
    o->ends = status != NULL && claim == 1;
    return lua_store_op_start(L, &o->store, rq, l_written);
}

int lua_claim_take(lua_State *L) {
    struct store_request rq = {.verb = STORE_UPDATE};
    const char *names[LUA_STORE_REMOVE_MAX];
    struct claim *claim;

    task_check(L);
    rq.collection = luaL_checkstring(L, 1);
    rq.id = luaL_checkstring(L, 2);
    rq.version = luaL_checkstring(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    lua_store_check_options(L, 5, options);
    lua_store_remove_option(L, 5, &rq, names);
    claim = lua_newuserdatauv(L, sizeof(*claim), 2);
    *claim = (struct claim){.held = false};
    luaL_setmetatable(L, CLAIM_TYPE);
    for (int i = 1; i <= 2; i++) {
        lua_pushvalue(L, i);
        lua_setiuservalue(L, 6, i);
    }
    return start_writing(L, &rq, 6, 4, "sending");
}

/* A further write of the claim at 1, with the members at `members` and the options behind them. */
static int write_on(lua_State *L, int members, const char *status) {
    struct store_request rq = {.verb = STORE_UPDATE};
    const char *names[LUA_STORE_REMOVE_MAX];
    struct claim *claim = luaL_checkudata(L, 1, CLAIM_TYPE);

    task_check(L);
    if (claim->finished)
        return luaL_error(L, "this claim is finished: to go on, claim the document again");
    luaL_checktype(L, members, LUA_TTABLE);
    lua_store_check_options(L, members + 1, options);
    lua_store_remove_option(L, members + 1, &rq, names);
    (void)lua_getiuservalue(L, 1, 1);
    (void)lua_getiuservalue(L, 1, 2);
    rq.collection = lua_tostring(L, -2);
    rq.id = lua_tostring(L, -1);
    rq.version = claim->version;
    return start_writing(L, &rq, 1, members, status);
}

/* claim:note(members, {remove}) -> claim | nil | nil, err */
static int l_note(lua_State *L) {
    return write_on(L, 2, NULL);
}

/* claim:finish(status, members, {remove}) -> claim | nil | nil, err */
static int l_finish(lua_State *L) {
    return write_on(L, 3, luaL_checkstring(L, 2));
}

const char *lua_claim_check(lua_State *L, int idx) {
    struct claim *claim = luaL_checkudata(L, idx, CLAIM_TYPE);
    const char *id;

    if (!claim->held)
        luaL_error(L, "this claim is not held any more: what it claimed must not be sent");
    (void)lua_getiuservalue(L, idx, 2);
    id = lua_tostring(L, -1);
    lua_pop(L, 1); /* the claim keeps it */
    return id;
}

void lua_claim_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"note", l_note}, {"finish", l_finish}, {NULL, NULL}};

    luaL_newmetatable(L, CLAIM_TYPE);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, CLAIM_TYPE);
    lua_setfield(L, -2, "__metatable"); /* getmetatable() gives the name, not the table */
    lua_pop(L, 1);
}
