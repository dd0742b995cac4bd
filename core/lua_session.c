/*
 * lua_session.c - paraph.session: people sign in at a browser with an API key.
 *
 * Neither the key nor the session's token is a Lua value, but for the cookie that an answer sets.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "auth_key.h"
#include "auth_session.h"
#include "bindings.h"
#include "buf.h"
#include "encode.h"
#include "gen.h"
#include "lua_blob.h"
#include "role.h"
#include "task.h"

#define FORM_MAX   ((size_t)4 * KIB)
#define COOKIE_MAX 200

struct session_op {
    struct op op;
    struct auth_session_call *call;
    bool secure;
    char cookie[COOKIE_MAX];
};

static void session_cancel(struct op *op) {
    auth_session_cancel(&((struct session_op *)op)->call);
}

static void session_release(struct op *op) {
    struct session_op *o = (struct session_op *)op;

    explicit_bzero(o->cookie, sizeof(o->cookie));
}

/* RFC 6265bis §4.1.2: for this site's own requests alone, and for no script. */
static void write_cookie(struct session_op *o, const char *token, int life_s) {
    snprintf(o->cookie, sizeof(o->cookie),
             AUTH_SESSION_COOKIE "=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s", token,
             life_s, o->secure ? "; Secure" : "");
}

static struct session_op *push_op(lua_State *L, bool secure) {
    struct session_op *o = op_new(L, sizeof(*o), session_cancel, session_release);

    o->secure = secure;
    return o;
}

static int l_finish(lua_State *L, int status, lua_KContext ctx) {
    struct session_op *o = (struct session_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return op_push_err(L, &o->op);
    lua_pushstring(L, o->cookie);
    op_close(&o->op);
    return 1;
}

/* --- open ------------------------------------------------------------------------------------ */

/* The field `key` of a form (application/x-www-form-urlencoded), without white space around it. */
static const struct env_key *find_key(const char *form, size_t n) {
    static const char name[] = "key=";
    const struct env_key *key = NULL;
    const char *end = form + n, *field, *next;
    struct buf text;
    size_t at;

    buf_init(&text, FORM_MAX);
    buf_reserve(&text, FORM_MAX); /* at once: it is wiped as a whole */
    for (field = form; field < end && key == NULL; field = next + 1) {
        if ((next = memchr(field, '&', (size_t)(end - field))) == NULL)
            next = end;
        if ((size_t)(next - field) < sizeof(name) || memcmp(field, name, sizeof(name) - 1) != 0)
            continue;
        field += sizeof(name) - 1;
        if (encode_percent_decode(&text, field, (size_t)(next - field)) != 0)
            continue;
        at = strspn(text.data, " \t\r\n");
        key = auth_key_find(text.data + at, strcspn(text.data + at, " \t\r\n"));
    }
    buf_wipe(&text);
    return key;
}

static void on_opened(const struct err *e, const struct auth_session *s, void *arg) {
    struct session_op *o = arg;

    o->call = NULL;
    if (s != NULL)
        write_cookie(o, s->token, AUTH_SESSION_LIFE_S);
    op_ready(&o->op, e);
}

/* open(form, secure) -> cookie | nil, err */
static int l_open(lua_State *L) {
    const struct env_key *key;
    struct session_op *o;
    const char *form;
    struct err e;
    size_t n;

    task_check(L);
    form = lua_blob_bytes(L, 1, &n);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    lua_settop(L, 2);
    if (n > FORM_MAX || (key = find_key(form, n)) == NULL) {
        err_set(&e, ERR_UNAUTHENTICATED, "this key is not known here");
        return task_push_err(L, &e);
    }
    if ((key->roles & ROLE_REVIEW) == 0) {
        err_set(&e, ERR_FORBIDDEN, "this key may not review mail, and serves programs alone");
        return task_push_err(L, &e);
    }
    o = push_op(L, lua_toboolean(L, 2));
    if (!op_refused(L, &o->op))
        o->call = auth_session_open(key, gen_scratch(L), on_opened, o);
    return op_wait(L, &o->op, l_finish);
}

/* --- close ----------------------------------------------------------------------------------- */

static void on_closed(const struct err *e, const struct auth_session *s, void *arg) {
    struct session_op *o = arg;

    (void)s;
    o->call = NULL;
    write_cookie(o, "", 0);
    op_ready(&o->op, e);
}

/* close(secure) -> cookie | nil, err */
static int l_close(lua_State *L) {
    const struct task_owner *owner = task_owner(task_check(L));
    const char *id = owner != NULL && owner->session != NULL ? owner->session : "";
    struct session_op *o;
    struct err none = {.code = ERR_NONE};

    luaL_checktype(L, 1, LUA_TBOOLEAN);
    lua_settop(L, 1);
    o = push_op(L, lua_toboolean(L, 1));
    if (op_refused(L, &o->op))
        return op_wait(L, &o->op, l_finish);
    if (*id == '\0')
        on_closed(&none, NULL, o);
    else
        o->call = auth_session_close(id, gen_scratch(L), on_closed, o);
    return op_wait(L, &o->op, l_finish);
}

int lua_session_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"close", l_close}, {"open", l_open}, {NULL, NULL}};

    luaL_newlib(L, functions);
    lua_pushstring(L, auth_session_collection());
    lua_setfield(L, -2, "collection");
    lua_pushboolean(L, env_uses_auth(ENV_KEY));
    lua_setfield(L, -2, "possible");
    lua_pushinteger(L, AUTH_SESSION_LIFE_S);
    lua_setfield(L, -2, "seconds");
    return 1;
}
