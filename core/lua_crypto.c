/*
 * lua_crypto.c - paraph.crypto: hashes and ids.
 */
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "crypto.h"

static int l_uuid4(lua_State *L) {
    char id[CRYPTO_UUID_SIZE];

    crypto_uuid4(id);
    lua_pushstring(L, id);
    return 1;
}

static int l_uuid5(lua_State *L) {
    size_t ns_len, len;
    const char *ns = luaL_checklstring(L, 1, &ns_len), *name = luaL_checklstring(L, 2, &len);
    char id[CRYPTO_UUID_SIZE];

    if (strlen(ns) != ns_len || crypto_uuid5(id, ns, name, len) != 0)
        return luaL_argerror(L, 1, "not a UUID");
    lua_pushstring(L, id);
    return 1;
}

static int l_is_uuid(lua_State *L) {
    size_t len;
    const char *s;

    luaL_checkany(L, 1);
    s = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &len) : NULL;
    lua_pushboolean(L, s != NULL && crypto_is_uuid(s, len));
    return 1;
}

static int l_sha256(lua_State *L) {
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    char hex[CRYPTO_SHA256_HEX];

    crypto_sha256_hex(hex, s, len);
    lua_pushstring(L, hex);
    return 1;
}

static int l_hmac_sha256(lua_State *L) {
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 1, &key_len), *s = luaL_checklstring(L, 2, &len);
    char hex[CRYPTO_SHA256_HEX];

    crypto_hmac_sha256_hex(hex, key, key_len, s, len);
    lua_pushstring(L, hex);
    return 1;
}

static int l_equal(lua_State *L) {
    size_t na, nb;
    const char *a = luaL_checklstring(L, 1, &na), *b = luaL_checklstring(L, 2, &nb);

    lua_pushboolean(L, na == nb && crypto_equal(a, b, na));
    return 1;
}

int lua_crypto_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"uuid4", l_uuid4},
        {"uuid5", l_uuid5},
        {"is_uuid", l_is_uuid},
        {"sha256", l_sha256},
        {"hmac_sha256", l_hmac_sha256},
        {"equal", l_equal},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    return 1;
}
