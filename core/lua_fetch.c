/*
 * lua_fetch.c - paraph.fetch: one HTTP exchange.
 */
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "fetch.h"
#include "frozen.h"
#include "gen.h"
#include "lua_blob.h"
#include "lua_fetch.h"
#include "task.h"

#define TIMEOUT_MAX_S 86400
#define REPLY_MAX     (64 * MIB)
#define HEADERS_MAX   256

/* The stack of l_fetch(). */
enum { OPTIONS = LUA_FETCH_OPTIONS, HEADERS, BODY = LUA_FETCH_BODY };

struct fetch_op {
    struct op op;
    struct fetch *fetch;
    bool sent; /* until the outcome is known, it may have been */
    int status;
    const struct fetch_header *headers; /* live as long as body */
    size_t nheaders;
    struct blob *body;
};

static void fetch_op_cancel(struct op *op) {
    fetch_cancel(&((struct fetch_op *)op)->fetch);
}

static void fetch_op_release(struct op *op) {
    blob_unref(((struct fetch_op *)op)->body);
}

static void on_reply(const struct fetch_reply *reply, void *arg) {
    struct fetch_op *o = arg;

    o->fetch = NULL;
    o->sent = reply->sent;
    o->status = reply->status;
    o->headers = reply->headers;
    o->nheaders = reply->nheaders;
    o->body = reply->body != NULL ? blob_ref(reply->body) : NULL;
    op_ready(&o->op, &reply->err);
}

/* The string at the top, which its table keeps alive. */
static const char *string_option(lua_State *L, const char *what) {
    size_t len;
    const char *s;

    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s must be a string, not %s", what, luaL_typename(L, -1));
    s = lua_tolstring(L, -1, &len);
    if (strlen(s) != len)
        luaL_error(L, "%s has a NUL character", what);
    return s;
}

static void read_option(lua_State *L, const char *name, struct fetch_request *rq) {
    if (strcmp(name, "url") == 0) {
        rq->url = string_option(L, "url");
    } else if (strcmp(name, "method") == 0) {
        rq->method = string_option(L, "method");
    } else if (strcmp(name, "timeout") == 0) {
        lua_Number s = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;

        if (!(s >= 0.001 && s <= TIMEOUT_MAX_S))
            luaL_error(L, "timeout must be a number of seconds, at most a day");
        rq->timeout_ms = (uint64_t)(s * 1000);
    } else if (strcmp(name, "max_bytes") == 0) {
        lua_Integer n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;

        if (n < 1 || n > (lua_Integer)REPLY_MAX)
            luaL_error(L, "max_bytes must be an integer from 1 to %d", (int)REPLY_MAX);
        rq->max_bytes = (size_t)n;
    } else if (strcmp(name, "headers") == 0) {
        if (!lua_istable(L, -1))
            luaL_error(L, "headers must be a table, not %s", luaL_typename(L, -1));
        lua_copy(L, -1, HEADERS);
    } else if (strcmp(name, "body") == 0) {
        if (lua_type(L, -1) != LUA_TSTRING && lua_blob_test(L, -1) == NULL)
            luaL_error(L, "body must be a string or an open blob, not %s", luaL_typename(L, -1));
        lua_copy(L, -1, BODY);
    } else {
        luaL_error(L, "unknown option '%s'", name);
    }
}

/* The headers as an array in a userdata, which is left on the stack. */
static void read_headers(lua_State *L, struct fetch_request *rq) {
    struct fetch_header *list;

    frozen_read(L, HEADERS);
    list = lua_newuserdatauv(L, HEADERS_MAX * sizeof(*list), 0);

    for (lua_pushnil(L); lua_next(L, HEADERS) != 0; lua_pop(L, 1)) {
        if (rq->nheaders == HEADERS_MAX)
            luaL_error(L, "more than %d headers", HEADERS_MAX);
        list[rq->nheaders].value = string_option(L, "a header's value");
        lua_pushvalue(L, -2);
        list[rq->nheaders++].name = string_option(L, "a header's name");
        lua_pop(L, 1);
    }
    rq->headers = list;
}

static void push_headers(lua_State *L, const struct fetch_header *h, size_t n) {
    lua_createtable(L, 0, (int)n);
    for (; n > 0; n--, h++) {
        lua_pushstring(L, h->name);
        if (lua_getfield(L, -2, h->name) == LUA_TNIL)
            lua_pushstring(L, h->value);
        else /* RFC 9110 §5.3: repeated ones are a list */
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), h->value);
        lua_remove(L, -2);
        lua_rawset(L, -3);
    }
}

static int l_fetch_finish(lua_State *L, int status, lua_KContext ctx) {
    struct fetch_op *o = (struct fetch_op *)ctx;

    (void)status;
    if (o->op.err != NULL) {
        op_push_err(L, &o->op);
        lua_pushboolean(L, o->sent);
        lua_setfield(L, -2, "sent");
        return 2;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, o->status);
    lua_setfield(L, -2, "status");
    push_headers(L, o->headers, o->nheaders);
    lua_setfield(L, -2, "headers");
    lua_blob_push(L, o->body);
    lua_setfield(L, -2, "body");
    op_close(&o->op);
    return 1;
}

static int l_told(lua_State *L, int status, lua_KContext ctx) {
    (void)L;
    (void)status;
    (void)ctx;
    return 2;
}

/* In a scratch: nothing leaves a test, which says what is answered, and a rehearsal only looks.  0:
 * the request may leave. */
static int answer_here(lua_State *L, struct fetch_op *o, const struct fetch_request *rq) {
    const char *method = rq->method != NULL ? rq->method : "GET";
    char origin[FETCH_ORIGIN_SIZE];
    struct err e;

    if (fetch_check(rq, origin, &e) != 0)
        return luaL_error(L, "%s", e.message);
    if (gen_is_test(L)) {
        op_close(&o->op);
        lua_getfield(L, LUA_REGISTRYINDEX, LUA_FETCH_ANSWERS);
        lua_pushvalue(L, OPTIONS);
        lua_callk(L, 1, 2, 0, l_told);
        return 2;
    }
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return 0;
    err_set(&e, ERR_NO_SEND, "a rehearsal sends nothing: %s %s is not made; :live makes it", method,
            origin);
    op_ready(&o->op, &e);
    return op_wait(L, &o->op, l_fetch_finish);
}

int lua_fetch_send(lua_State *L, struct fetch_request *rq) {
    struct fetch_op *o = op_new(L, sizeof(*o), fetch_op_cancel, fetch_op_release);
    struct err e;
    int n;

    if (op_refused(L, &o->op))
        return op_wait(L, &o->op, l_fetch_finish);
    if (gen_scratch(L) != NULL && (n = answer_here(L, o, rq)) > 0)
        return n;
    o->sent = true;
    if (!lua_isnil(L, BODY) && (rq->body = lua_blob_take(L, BODY)) == NULL)
        return luaL_error(L, "not enough memory");
    o->fetch = fetch_start(rq, on_reply, o, &e);
    blob_unref(rq->body);
    if (o->fetch != NULL)
        return op_wait(L, &o->op, l_fetch_finish);
    if (e.code == ERR_INTERNAL_ERROR) /* the request is malformed */
        return luaL_error(L, "%s", e.message);
    o->sent = false;
    op_ready(&o->op, &e);
    return op_wait(L, &o->op, l_fetch_finish);
}

static int l_fetch(lua_State *L) {
    struct fetch_request rq = {.no_metadata = true}; /* whoever writes a script has no tokens */

    task_check(L);
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    lua_settop(L, OPTIONS);
    frozen_read(L, OPTIONS);
    lua_settop(L, BODY);
    for (lua_pushnil(L); lua_next(L, OPTIONS) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return luaL_error(L, "unknown option '%s'", luaL_tolstring(L, -2, NULL));
        read_option(L, lua_tostring(L, -2), &rq);
    }
    if (rq.url == NULL)
        return luaL_error(L, "url is missing");
    if (!lua_isnil(L, HEADERS))
        read_headers(L, &rq);
    return lua_fetch_send(L, &rq);
}

int lua_fetch_open(lua_State *L) {
    lua_pushcfunction(L, l_fetch);
    return 1;
}
