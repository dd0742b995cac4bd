/*
 * lua_serve.c - paraph.serve: a request carried through routing, access and handler without a
 *   network, as host.c does it with one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "gen.h"
#include "lua_blob.h"
#include "reply.h"
#include "request.h"
#include "role.h"
#include "task.h"

/* A handler that nobody waits for any more still ends in its own next turn, so this is no
 * part of the operation. */
struct serving {
    struct serve_op *op; /* NULL: nobody waits */
    struct task *task;   /* NULL: not started, or ended */
    struct task_owner owner;
    char *id, *caller, *method; /* the owner's */
    char *path;
    struct route_match match; /* in path */
    struct reply reply;
    char trace[4096]; /* of a script that failed, or "" */
};

struct serve_op {
    struct op op;
    struct serving *serving;
};

static void serving_free(struct serving *v) {
    reply_fini(&v->reply);
    free(v->path);
    free(v->id);
    free(v->caller);
    free(v->method);
    free(v);
}

/* From here on it is its handler's, whose end frees it. */
static void serve_cancel(struct op *op) {
    struct serve_op *o = (struct serve_op *)op;
    struct serving *v = o->serving;
    struct err e;

    err_set(&e, ERR_CANCELLED, "whoever asked has ended");
    o->serving = NULL;
    v->op = NULL;
    task_disown(v->task);
    task_abort(v->task, &e);
}

static void serve_release(struct op *op) {
    struct serving *v = ((struct serve_op *)op)->serving;

    if (v != NULL && v->task == NULL)
        serving_free(v);
}

static void on_served(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct serving *v = arg;

    v->task = NULL;
    if (v->op == NULL) {
        serving_free(v);
        return;
    }
    if (status == LUA_OK)
        reply_from_lua(&v->reply, co, nres, v->id, v->trace, sizeof(v->trace));
    else if (!reply_from_raised(&v->reply, co, v->id))
        snprintf(v->trace, sizeof(v->trace), "%s", trace);
    op_ready(&v->op->op, NULL);
}

static void set_member(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static int l_serve_finish(lua_State *L, int status, lua_KContext ctx) {
    struct serve_op *o = (struct serve_op *)ctx;
    const struct reply *r;

    (void)status;
    if (o->op.err != NULL)
        return op_push_err(L, &o->op);
    r = &o->serving->reply;
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, r->status);
    lua_setfield(L, -2, "status");
    lua_createtable(L, 0, (int)r->nheaders);
    for (size_t i = 0; i < r->nheaders; i++)
        set_member(L, r->headers[i].name, r->headers[i].value);
    lua_setfield(L, -2, "headers");
    lua_blob_push(L, r->body);
    lua_setfield(L, -2, "bytes");
    if (o->serving->trace[0] != '\0')
        set_member(L, "trace", o->serving->trace);
    op_close(&o->op);
    return 1;
}

/* A copy of a member of the request. */
static char *copy_member(lua_State *L, int table, const char *name) {
    char *copy;

    if (lua_getfield(L, table, name) != LUA_TSTRING)
        luaL_error(L, "the request has no %s", name);
    if ((copy = strdup(lua_tostring(L, -1))) == NULL)
        luaL_error(L, "not enough memory");
    lua_pop(L, 1);
    return copy;
}

/* The roles that the caller at `caller` brings, or those that access.lua gives him. */
static int take_roles(lua_State *L, int caller, struct serving *v, struct err *e) {
    struct gen_identity who = {.method = v->owner.method, .name = v->caller};
    const char *word;
    size_t len;

    if ((who.has_roles = lua_getfield(L, caller, "roles") != LUA_TNIL)) {
        luaL_checktype(L, -1, LUA_TTABLE);
        for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 2)) {
            word = luaL_tolstring(L, -1, &len);
            if (role_named(word, len) == 0)
                return luaL_error(L, "'%s' is no role", word);
            who.roles |= role_named(word, len);
        }
    }
    if (gen_access(gen_of(L), &who, v->trace, sizeof(v->trace)) != 0)
        return err_set(e, ERR_POLICY_ERROR, REPLY_POLICY_ERROR);
    v->owner.roles = who.roles;
    return 0;
}

/* As the host does it.  Stack: 1 the request, 2 its caller. */
static int admit(lua_State *L, struct serving *v, const char *method, const char *target,
                 struct err *e) {
    if ((v->path = request_path(target, e)) == NULL ||
        request_route(gen_of(L), ENV_ALL, method, v->path, &v->match, e) != 0)
        return -1;
    if (v->match.route->access == 0)
        return 0;
    if (take_roles(L, 2, v, e) != 0)
        return -1;
    return request_access(v->match.route, &v->owner, e);
}

/* Handlers read blobs.  The request is at the top. */
static void make_body(lua_State *L) {
    size_t n;
    const char *text;

    if (lua_getfield(L, -1, "body") == LUA_TSTRING) {
        text = lua_tolstring(L, -1, &n);
        lua_blob_push_copy(L, text, n);
        lua_setfield(L, -3, "body");
    }
    lua_pop(L, 1);
}

/* Fill the request in and hand it to its handler. */
static void start_handler(lua_State *L, struct serving *v, const char *method, const char *target) {
    lua_State *from = gen_state(gen_of(L));
    bool head = strcmp(method, "HEAD") == 0;

    lua_settop(L, 3); /* with the operation */
    lua_rawgeti(L, LUA_REGISTRYINDEX, v->match.route->handler);
    lua_pushvalue(L, 1);
    set_member(L, "method", head ? "GET" : method);
    lua_pushboolean(L, head);
    lua_setfield(L, -2, "head");
    set_member(L, "path", v->path);
    request_push_query(L, target);
    lua_setfield(L, -2, "query");
    request_push_params(L, &v->match);
    lua_setfield(L, -2, "params");
    request_push_caller(L, &v->owner);
    lua_setfield(L, -2, "caller");
    make_body(L);
    if (!lua_checkstack(from, 8))
        luaL_error(L, "not enough memory");
    lua_xmove(L, from, 2);
    v->task = task_start(gen_of(L), from, 1, v->match.route->deadline_ms, &v->owner, on_served, v);
}

/* serve(request) -> {status, headers, bytes?, trace?} */
static int l_serve(lua_State *L) {
    const char *method, *target;
    struct serve_op *o;
    struct serving *v;
    struct err e;

    task_check(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "caller") != LUA_TTABLE)
        return luaL_error(L, "the request has no caller");
    gen_need_routes(L);
    o = op_new(L, sizeof(*o), serve_cancel, serve_release);
    if ((v = o->serving = calloc(1, sizeof(*v))) == NULL)
        return luaL_error(L, "not enough memory");
    v->op = o;
    reply_init(&v->reply);
    v->id = copy_member(L, 1, "id");
    v->caller = copy_member(L, 2, "name");
    v->method = copy_member(L, 2, "method");
    v->owner = (struct task_owner){v->id, v->caller, v->method, NULL, 0, NULL};
    lua_getfield(L, 1, "method");
    lua_getfield(L, 1, "target");
    method = luaL_checkstring(L, -2);
    target = luaL_checkstring(L, -1);
    if (op_refused(L, &o->op))
        return op_wait(L, &o->op, l_serve_finish);
    if (admit(L, v, method, target, &e) == 0) {
        start_handler(L, v, method, target);
        return op_wait(L, &o->op, l_serve_finish);
    }
    reply_error(&v->reply, &e, v->id, NULL);
    op_ready(&o->op, NULL);
    return op_wait(L, &o->op, l_serve_finish);
}

int lua_serve_open(lua_State *L) {
    lua_pushcfunction(L, l_serve);
    return 1;
}
