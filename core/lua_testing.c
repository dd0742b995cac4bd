/*
 * lua_testing.c - paraph.testing: what scripts/lib/testing.lua builds the world of a test from.
 */
#include "lua_testing.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "gen.h"
#include "lua_blob.h"
#include "reply.h"
#include "request.h"
#include "role.h"
#include "scratch.h"
#include "task.h"

#define ROOT "paraph.testing.root" /* in the registry */

/* --- what every test has --------------------------------------------------------------------- */

static int l_blob(lua_State *L) {
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);

    lua_blob_push_copy(L, s, n);
    return 1;
}

static int l_read_file(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    char path[PATH_MAX];
    luaL_Buffer b;
    FILE *f;
    size_t n;

    if (lua_getfield(L, LUA_REGISTRYINDEX, ROOT) != LUA_TLIGHTUSERDATA)
        return luaL_error(L, "files are read by `paraph test` alone");
    snprintf(path, sizeof(path), "%s/%s", (const char *)lua_touserdata(L, -1), name);
    if ((f = fopen(path, "re")) == NULL)
        return luaL_error(L, "%s: %s", path, strerror(errno));
    luaL_buffinit(L, &b);
    do {
        char *to = luaL_prepbuffer(&b);

        n = fread(to, 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(&b, n);
    } while (n > 0);
    fclose(f);
    luaL_pushresult(&b);
    return 1;
}

/* --- the scratch ----------------------------------------------------------------------------- */

static struct scratch *check_scratch(lua_State *L) {
    struct scratch *s = gen_scratch(L);

    if (!gen_is_test(L))
        luaL_error(L, "under --real there is no other world than the real one");
    return s;
}

static int l_is_scratch(lua_State *L) {
    lua_pushboolean(L, gen_is_test(L));
    return 1;
}

static int l_refresh(lua_State *L) {
    scratch_refresh(check_scratch(L));
    return 0;
}

static int l_set_now(lua_State *L) {
    struct scratch *s = check_scratch(L);
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    int64_t us;

    luaL_argcheck(L, clock_parse(text, n, &us) == 0, 1, "an RFC 3339 time is needed");
    scratch_set_now(s, us);
    return 0;
}

static int l_advance(lua_State *L) {
    struct scratch *s = check_scratch(L);
    lua_Number seconds = luaL_checknumber(L, 1);

    luaL_argcheck(L, seconds >= 0 && seconds <= 1e10, 1, "seconds, not below 0");
    scratch_advance(s, (uint64_t)llround(seconds * 1e6));
    return 0;
}

static int l_set_no_send(lua_State *L) {
    scratch_set_no_send(check_scratch(L), lua_toboolean(L, 1));
    return 0;
}

/* The number of a verb by the name of its function; SCRATCH_ANY_VERB for nil. */
static int check_verb(lua_State *L, int idx, enum scratch_part part) {
    static const struct {
        const char *name;
        enum scratch_part part;
        int verb;
    } verbs[] = {
        {"get", SCRATCH_STORE, STORE_GET},
        {"create", SCRATCH_STORE, STORE_CREATE},
        {"update", SCRATCH_STORE, STORE_UPDATE},
        {"claim", SCRATCH_STORE, STORE_UPDATE},
        {"delete", SCRATCH_STORE, STORE_DELETE},
        {"query", SCRATCH_STORE, STORE_QUERY},
        {"count", SCRATCH_STORE, STORE_COUNT},
        {"increment", SCRATCH_STORE, STORE_INCREMENT},
        {"parts", SCRATCH_STORE, STORE_PARTS},
        {"send", SCRATCH_MAIL, MAIL_SEND},
        {"signature", SCRATCH_MAIL, MAIL_SIGNATURE},
        {"reply_headers", SCRATCH_MAIL, MAIL_REPLY},
        {"profile", SCRATCH_MAIL, MAIL_PROFILE},
        {"draft_create", SCRATCH_MAIL, MAIL_DRAFT_CREATE},
        {"draft_send", SCRATCH_MAIL, MAIL_DRAFT_SEND},
        {"draft_exists", SCRATCH_MAIL, MAIL_DRAFT_GET},
        {"draft_delete", SCRATCH_MAIL, MAIL_DRAFT_DELETE},
        {"drafts_of", SCRATCH_MAIL, MAIL_DRAFT_FIND},
    };

    if (lua_isnoneornil(L, idx))
        return SCRATCH_ANY_VERB;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (verbs[i].part == part && strcmp(verbs[i].name, luaL_checkstring(L, idx)) == 0)
            return verbs[i].verb;
    return luaL_error(L, "there is no function '%s' that could fail", luaL_checkstring(L, idx));
}

/* fail_next(part, err, function) */
static int l_fail_next(lua_State *L) {
    static const char *const parts[] = {"store", "mail", NULL};
    struct scratch *s = check_scratch(L);
    enum scratch_part part =
        luaL_checkoption(L, 1, NULL, parts) == 0 ? SCRATCH_STORE : SCRATCH_MAIL;
    struct scratch_failure failure = {.verb = check_verb(L, 3, part)};

    luaL_checktype(L, 2, LUA_TTABLE);
    task_read_err(L, 2, &failure.err);
    if (lua_getfield(L, 2, "code") != LUA_TSTRING || err_from_word(lua_tostring(L, -1)) == ERR_NONE)
        return luaL_error(L, "'%s' is no code of an error", luaL_tolstring(L, -1, NULL));
    lua_getfield(L, 2, "unknown");
    failure.unknown = lua_toboolean(L, -1);
    lua_getfield(L, 2, "happened");
    failure.happened = lua_toboolean(L, -1);
    scratch_fail_next(s, part, &failure);
    return 0;
}

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void push_recipients(lua_State *L, const char *lines) {
    size_t n;

    lua_newtable(L);
    for (lua_Integer i = 1; *lines != '\0'; lines += n + 1, i++) {
        n = strcspn(lines, "\n");
        lua_pushlstring(L, lines, n);
        lua_rawseti(L, -2, i);
    }
}

static int l_letters(lua_State *L) {
    const struct scratch_letter *l = scratch_letters(check_scratch(L));

    lua_newtable(L);
    for (lua_Integer i = 1; l != NULL; l = l->next, i++) {
        lua_createtable(L, 0, 7);
        lua_pushboolean(L, l->sent);
        lua_setfield(L, -2, "sent");
        set_text(L, "id", l->id);
        set_text(L, "thread_id", l->thread_id);
        set_text(L, "key", l->key);
        set_text(L, "mailbox", l->mailbox);
        push_recipients(L, l->recipients);
        lua_setfield(L, -2, "to");
        lua_blob_push(L, l->message);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, i);
    }
    return 1;
}

/* answers(f): f in place of paraph.fetch */
static int l_answers(lua_State *L) {
    check_scratch(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_FETCH_ANSWERS);
    return 0;
}

/* --- requests -------------------------------------------------------------------------------- */

/* A handler that its test does not wait for any more still ends in its own next turn, so this is no
 * part of the operation. */
struct serving {
    struct serve_op *op; /* NULL: nobody waits */
    struct task *task;   /* NULL: not started, or ended */
    struct task_owner owner;
    char *id, *caller; /* the owner's */
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
    free(v);
}

static void serve_cancel(struct op *op) {
    struct serving *v = ((struct serve_op *)op)->serving;
    struct err e;

    err_set(&e, ERR_CANCELLED, "the test that asked has ended");
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

static int l_serve_finish(lua_State *L, int status, lua_KContext ctx) {
    struct serve_op *o = (struct serve_op *)ctx;
    const struct reply *r = &o->serving->reply;

    (void)status;
    if (o->op.err.code != ERR_NONE)
        return op_push_err(L, &o->op);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, r->status);
    lua_setfield(L, -2, "status");
    lua_createtable(L, 0, (int)r->nheaders);
    for (size_t i = 0; i < r->nheaders; i++)
        set_text(L, r->headers[i].name, r->headers[i].value);
    lua_setfield(L, -2, "headers");
    lua_blob_push(L, r->body);
    lua_setfield(L, -2, "bytes");
    if (o->serving->trace[0] != '\0')
        set_text(L, "trace", o->serving->trace);
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

/* Fill the request in and hand it to its handler. */
static void start_handler(lua_State *L, struct serving *v, const char *method, const char *target) {
    lua_State *from = gen_state(gen_of(L));
    bool head = strcmp(method, "HEAD") == 0;

    lua_settop(L, 3); /* with the operation */
    lua_rawgeti(L, LUA_REGISTRYINDEX, v->match.route->handler);
    lua_pushvalue(L, 1);
    set_text(L, "method", head ? "GET" : method);
    lua_pushboolean(L, head);
    lua_setfield(L, -2, "head");
    set_text(L, "path", v->path);
    request_push_query(L, target);
    lua_setfield(L, -2, "query");
    request_push_params(L, &v->match);
    lua_setfield(L, -2, "params");
    request_push_caller(L, &v->owner);
    lua_setfield(L, -2, "caller");
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
    check_scratch(L);
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
    v->owner = (struct task_owner){v->id, v->caller, "none", NULL, 0};
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

/* --- the module ------------------------------------------------------------------------------ */

void lua_testing_load(lua_State *L, const char *root) {
    static const luaL_Reg functions[] = {
        {"advance", l_advance},         {"answers", l_answers},       {"blob", l_blob},
        {"fail_next", l_fail_next},     {"is_scratch", l_is_scratch}, {"letters", l_letters},
        {"read_file", l_read_file},     {"refresh", l_refresh},       {"serve", l_serve},
        {"set_no_send", l_set_no_send}, {"set_now", l_set_now},       {NULL, NULL},
    };

    if (root != NULL) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)root);
        lua_setfield(L, LUA_REGISTRYINDEX, ROOT);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "paraph.loaded");
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "paraph.testing");
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "lib.testing");
    lua_call(L, 1, 1);
}
