/*
 * lua_webhook.c - paraph.webhook: an event on its way to one of WEBHOOK_URL, signed.
 *
 * Neither the addresses nor the secrets are Lua values.  The signature is that of Standard
 * Webhooks: HMAC-SHA-256 of "id.timestamp.body", by each secret there is.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "buf.h"
#include "crypto.h"
#include "encode.h"
#include "env.h"
#include "gen.h"
#include "lua_fetch.h"
#include "task.h"

#define TIMEOUT_MS     10000
#define ANSWER_MAX     MIB /* nobody reads it */
#define ID_MAX         64
#define BODY_MAX       MIB
#define SIGNATURE_SIZE (64 * ENV_WEBHOOK_SECRETS_MAX)
#define TIME_SIZE      24

static void sign(char signature[SIGNATURE_SIZE], const char *id, const char *timestamp,
                 const char *body, size_t len) {
    struct buf text, out;
    unsigned char mac[CRYPTO_SHA256_LEN];

    buf_init(&out, SIGNATURE_SIZE - 1);
    buf_init(&text, BODY_MAX + ID_MAX + TIME_SIZE + 2);
    buf_join(&text, id, ".", timestamp);
    buf_addc(&text, '.');
    buf_add(&text, body, len);
    for (size_t i = 0; i < env.nwebhook_secrets && !buf_failed(&text); i++) {
        const struct env_webhook_secret *secret = &env.webhook_secrets[i];

        crypto_hmac_sha256(mac, secret->key, secret->n, text.data, text.len);
        buf_adds(&out, i > 0 ? " v1," : "v1,");
        encode_base64(&out, mac, sizeof(mac));
    }
    snprintf(signature, SIGNATURE_SIZE, "%s", out.len > 0 ? out.data : "");
    buf_free(&out);
    buf_free(&text);
}

/* What a test sees, which has no endpoints but by their numbers. */
static void push_request(lua_State *L, const struct fetch_request *rq) {
    lua_createtable(L, 0, 3);
    lua_pushstring(L, rq->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, rq->url);
    lua_setfield(L, -2, "url");
    lua_createtable(L, 0, (int)rq->nheaders);
    for (size_t i = 0; i < rq->nheaders; i++) {
        lua_pushstring(L, rq->headers[i].value);
        lua_setfield(L, -2, rq->headers[i].name);
    }
    lua_setfield(L, -2, "headers");
    lua_pushvalue(L, LUA_FETCH_BODY);
    lua_setfield(L, -2, "body");
}

/* The address of the endpoint with the number at 1. */
static const char *check_endpoint(lua_State *L, char *test, size_t size) {
    lua_Integer n = luaL_checkinteger(L, 1);
    lua_Integer most = gen_is_test(L) ? ENV_WEBHOOKS_MAX : (lua_Integer)env.nwebhooks;

    luaL_argcheck(L, n >= 1 && n <= most, 1, "there is no such endpoint");
    if (!gen_is_test(L))
        return env.webhooks[n - 1];
    snprintf(test, size, "https://endpoint-%d.test/", (int)n);
    return test;
}

/* post(n, id, body) -> { status, headers, body } | nil, err */
static int l_post(lua_State *L) {
    char address[64], timestamp[TIME_SIZE], signature[SIGNATURE_SIZE];
    const char *id, *body;
    size_t len;
    struct fetch_header headers[4] = {{"content-type", "application/json"}};
    struct fetch_request rq = {.method = "POST",
                               .headers = headers,
                               .nheaders = COUNT_OF(headers),
                               .timeout_ms = TIMEOUT_MS,
                               .max_bytes = ANSWER_MAX,
                               .no_metadata = true,
                               .public_only = !env.webhook_allow_private};

    task_check(L);
    rq.url = check_endpoint(L, address, sizeof(address));
    id = luaL_checkstring(L, 2);
    body = luaL_checklstring(L, LUA_FETCH_BODY, &len);
    luaL_argcheck(L, strlen(id) <= ID_MAX, 2, "is too long");
    luaL_argcheck(L, len <= BODY_MAX, LUA_FETCH_BODY, "is too long");
    lua_settop(L, LUA_FETCH_BODY);
    snprintf(timestamp, sizeof(timestamp), "%lld", (long long)(gen_now_us(L) / 1000000));
    sign(signature, id, timestamp, body, len);
    headers[1] = (struct fetch_header){"webhook-id", id};
    headers[2] = (struct fetch_header){"webhook-timestamp", timestamp};
    headers[3] = (struct fetch_header){"webhook-signature", signature};
    if (gen_is_test(L)) {
        push_request(L, &rq);
        lua_replace(L, LUA_FETCH_OPTIONS);
    }
    return lua_fetch_send(L, &rq);
}

/* origin(n) -> where it is, as far as that may be told */
static int l_origin(lua_State *L) {
    char address[64], origin[FETCH_ORIGIN_SIZE];
    struct fetch_request rq = {.url = check_endpoint(L, address, sizeof(address))};
    struct err e;

    if (fetch_check(&rq, origin, &e) != 0)
        return luaL_error(L, "%s", e.message);
    lua_pushstring(L, origin);
    return 1;
}

int lua_webhook_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"origin", l_origin}, {"post", l_post}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
