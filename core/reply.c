#include "reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <lauxlib.h>

#include "encode.h"
#include "frozen.h"
#include "json_text.h"
#include "lua_blob.h"
#include "lua_json.h"
#include "task.h"

#define DETAILS_MAX (64 * KIB)

void reply_init(struct reply *r) {
    memset(r, 0, sizeof(*r));
    buf_init(&r->text, LUA_JSON_TEXT_MAX);
    r->status = 200;
}

void reply_fini(struct reply *r) {
    blob_unref(r->body);
    buf_free(&r->text);
    for (size_t i = 0; i < r->ntexts; i++)
        free(r->texts[i]);
    reply_init(r);
}

static bool is_header_text(const char *s) {
    for (; *s != '\0'; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7F)
            return false;
    return true;
}

static const char *keep(struct reply *r, const char *s) {
    char *copy = strdup(s);

    if (copy == NULL)
        return NULL;
    r->texts[r->ntexts++] = copy;
    return copy;
}

int reply_header(struct reply *r, const char *name, const char *value) {
    struct http_header *h = &r->headers[r->nheaders];
    size_t bytes = strlen(name) + strlen(value) + 4; /* with the colon, a space and CR LF */

    if (r->nheaders == REPLY_HEADERS_MAX || bytes > REPLY_HEADER_BYTES - r->header_bytes ||
        !encode_is_token(name, strlen(name)) || !is_header_text(value))
        return -1;
    r->header_bytes += bytes;
    if ((h->name = keep(r, name)) == NULL || (h->value = keep(r, value)) == NULL)
        return -1;
    r->nheaders++;
    return 0;
}

/* --- errors ---------------------------------------------------------------------------------- */

static void add_member(struct buf *b, const char *name, const char *value) {
    json_text_add_string(b, name, strlen(name));
    buf_addc(b, ':');
    json_text_add_string(b, value, strlen(value));
}

void reply_error(struct reply *r, const struct err *e, const char *request_id,
                 const char *details) {
    char seconds[16];
    struct buf b;
    char *text;
    size_t n;

    reply_fini(r);
    r->status = err_status(e->code);
    r->err = *e;
    buf_init(&b, 2 * DETAILS_MAX);
    buf_adds(&b, "{\"status\":\"error\",");
    add_member(&b, "code", err_word(e->code));
    buf_addc(&b, ',');
    add_member(&b, "error", e->message);
    if (e->field[0] != '\0') {
        buf_addc(&b, ',');
        add_member(&b, "field", e->field);
    }
    if (details != NULL && strlen(details) > 2) { /* more than "{}" */
        buf_addc(&b, ',');
        buf_add(&b, details + 1, strlen(details) - 2);
    }
    buf_addc(&b, ',');
    add_member(&b, "request_id", request_id);
    buf_addc(&b, '}');
    if ((text = buf_take(&b, &n)) != NULL && (r->body = blob_own(text, n)) == NULL)
        free(text);
    buf_free(&b);
    reply_header(r, "Content-Type", "application/json");
    if (e->retry_after > 0 || r->status == 503 || r->status == 429) {
        snprintf(seconds, sizeof(seconds), "%d", e->retry_after > 0 ? e->retry_after : 1);
        reply_header(r, "Retry-After", seconds);
    }
}

/* --- what a handler returned ----------------------------------------------------------------- */

static void read_headers(lua_State *L, struct reply *r) {
    if (lua_getfield(L, 1, "headers") == LUA_TNIL)
        return;
    if (!lua_istable(L, -1))
        luaL_error(L, "the reply's headers are not a table");
    frozen_resolve(L, -1);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1) ||
            reply_header(r, lua_tostring(L, -2), lua_tostring(L, -1)) != 0)
            luaL_error(L,
                       "the reply's header '%s' cannot be sent: there may be %d headers, of %d "
                       "bytes in all, each with a token for a name and a text of one line",
                       luaL_tolstring(L, -2, NULL), REPLY_HEADERS_MAX, (int)REPLY_HEADER_BYTES);
    }
}

static void read_json(lua_State *L, struct reply *r) {
    struct err e;
    size_t n;
    char *text;

    /* What a request may hold, and what a store, fits into an answer that has it further in. */
    if (lua_json_write(L, -1, JSON_TEXT_DEPTH_MAX, 0, &r->text, &e) < 0)
        luaL_error(L, "the reply's json: %s", e.message);
    if ((text = buf_take(&r->text, &n)) == NULL || (r->body = blob_own(text, n)) == NULL) {
        free(text);
        luaL_error(L, "not enough memory");
    }
}

static void read_status(lua_State *L, struct reply *r) {
    int kind = lua_getfield(L, 1, "status");

    if (kind == LUA_TNIL)
        return;
    if (kind == LUA_TSTRING && err_from_word(lua_tostring(L, -1)) != ERR_NONE)
        r->status = err_status(err_from_word(lua_tostring(L, -1)));
    else if (kind == LUA_TNUMBER && lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 200 &&
             lua_tointeger(L, -1) <= 599)
        r->status = (int)lua_tointeger(L, -1);
    else
        luaL_error(L, "the reply's status is no whole number from 200 to 599, and no error's code");
}

static void read_reply(lua_State *L, struct reply *r) {
    const char *type = "text/plain; charset=utf-8";

    read_status(L, r);
    if (lua_getfield(L, 1, "json") != LUA_TNIL) {
        read_json(L, r);
        type = "application/json";
    } else if (lua_getfield(L, 1, "body") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING && lua_blob_test(L, -1) == NULL)
            luaL_error(L, "the reply's body is neither a string nor a blob");
        r->body = lua_blob_take(L, -1);
    }
    if (lua_getfield(L, 1, "type") == LUA_TSTRING)
        type = lua_tostring(L, -1);
    if (r->body != NULL && reply_header(r, "Content-Type", type) != 0)
        luaL_error(L, "the reply's type cannot be sent");
    read_headers(L, r);
}

struct reading {
    struct reply *reply;
    const char *request_id;
};

/* nil, err: 1 nothing, 2 the error table. */
static void read_error(lua_State *L, const struct reading *in) {
    struct buf *b = &in->reply->text;
    char *details = NULL;
    struct err e, bad;

    task_read_err(L, 2, &e);
    if (lua_istable(L, 2) && lua_getfield(L, 2, "details") == LUA_TTABLE) {
        b->max = DETAILS_MAX;
        if (lua_json_encode(L, -1, b, &bad) != 0)
            luaL_error(L, "the error's details: %s", bad.message);
        details = buf_take(b, NULL);
    }
    reply_error(in->reply, &e, in->request_id, details);
    free(details);
}

static int l_read(lua_State *L) {
    const struct reading *in = lua_touserdata(L, 3);

    if (lua_istable(L, 1))
        read_reply(L, in->reply);
    else
        read_error(L, in);
    return 0;
}

static void policy_error(struct reply *r, const char *request_id) {
    struct err e;

    err_set(&e, ERR_POLICY_ERROR, REPLY_POLICY_ERROR);
    reply_error(r, &e, request_id, NULL);
}

/* Two values at the top of co through `read`, protected. */
static int read_values(struct reply *r, lua_State *co, lua_CFunction read, const char *request_id,
                       char *why, size_t size) {
    struct reading in = {r, request_id};

    if (!lua_checkstack(co, 4))
        return -1;
    lua_pushlightuserdata(co, &in);
    lua_pushcfunction(co, read);
    lua_insert(co, -4);
    if (lua_pcall(co, 3, 0, 0) == LUA_OK)
        return 0;
    snprintf(why, size, "%s", lua_isstring(co, -1) ? lua_tostring(co, -1) : "");
    lua_pop(co, 1);
    return -1;
}

void reply_from_lua(struct reply *r, lua_State *co, int nres, const char *request_id, char *why,
                    size_t size) {
    why[0] = '\0';
    if (!lua_checkstack(co, 2))
        nres = 0;
    for (; nres < 2; nres++)
        lua_pushnil(co);
    if (nres > 2)
        lua_pop(co, nres - 2);
    if (!lua_istable(co, -2) && !lua_istable(co, -1))
        snprintf(why, size, "the handler returned neither a reply nor nil and an error");
    if (why[0] != '\0' || read_values(r, co, l_read, request_id, why, size) != 0)
        policy_error(r, request_id);
}

/* The error that was raised, if it is one of ours. */
static int l_read_raised(lua_State *L) {
    const struct reading *in = lua_touserdata(L, 3);
    struct err e;

    task_read_err(L, 2, &e);
    if (e.code == ERR_INTERNAL_ERROR)
        return luaL_error(L, "no error of ours");
    read_error(L, in);
    return 0;
}

bool reply_from_raised(struct reply *r, lua_State *co, const char *request_id) {
    char why[64];

    if (lua_istable(co, -1) && lua_checkstack(co, 8)) {
        lua_pushnil(co);
        lua_pushvalue(co, -2);
        if (read_values(r, co, l_read_raised, request_id, why, sizeof(why)) == 0)
            return true;
    }
    policy_error(r, request_id);
    return false;
}

/* --- what every answer carries --------------------------------------------------------------- */

/* The pixel is the one thing that is to be shown elsewhere, and says so itself. */
static const struct http_header always[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "same-origin"}, /* with "no-referrer" our own forms have no Origin */
    {"X-Frame-Options", "DENY"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};
static const struct http_header over_https = {"Strict-Transport-Security", "max-age=31536000"};

static_assert(COUNT_OF(always) + 2 <= REPLY_ADDED_MAX, "with the id and over_https");

static bool has_header(const struct reply *r, const char *name) {
    for (size_t i = 0; i < r->nheaders; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_if_missing(struct reply *r, const struct http_header *h) {
    if (!has_header(r, h->name))
        r->headers[r->nheaders++] = *h;
}

void reply_finish(struct reply *r, const char *request_id, const struct http_request *http) {
    const char *scheme = http_header(http, "X-Forwarded-Proto");

    for (size_t i = 0; i < COUNT_OF(always); i++)
        add_if_missing(r, &always[i]);
    if (scheme != NULL && strcasecmp(scheme, "https") == 0)
        add_if_missing(r, &over_https);
    r->headers[r->nheaders++] = (struct http_header){"X-Request-Id", request_id};
}
