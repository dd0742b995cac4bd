/*
 * lua_cjson.c - cjson for operators' scripts: encode and decode of lua-cjson, contained.
 *
 * Its settings are left out, since they would hold for all scripts.  It keeps texts in memory that
 * Lua's limits do not see, leaks them when Lua runs out of memory on the way, and ends the program
 * when there is none at all: so it gets nothing large.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "frozen.h"
#include "gen.h"
#include "task.h"

#define VALUES_MAX 250000
#define BYTES_MAX  (8 * MIB) /* of the strings in what is encoded */
#define TEXT_MAX   MIB       /* of what is decoded: it becomes 40 times as much */
#define DEPTH_MAX  1000      /* where cjson itself refuses */

int luaopen_cjson(lua_State *L); /* lua-cjson has no header */

struct measure {
    size_t values, bytes;
};

/* Count what is in the value at the top; the same table may be in it many times. */
static void measure(lua_State *L, struct measure *m, int depth) {
    luaL_checkstack(L, 4, NULL);
    task_check_time(L);
    if (lua_type(L, -1) == LUA_TSTRING)
        m->bytes += lua_rawlen(L, -1);
    if (++m->values > VALUES_MAX || m->bytes > BYTES_MAX)
        luaL_error(L,
                   "cjson.encode: more than %d values or %d bytes of strings: paraph.json takes "
                   "more",
                   VALUES_MAX, (int)BYTES_MAX);
    if (!lua_istable(L, -1) || depth == DEPTH_MAX)
        return;
    lua_pushvalue(L, -1);
    frozen_resolve(L, -1);
    if (!lua_rawequal(L, -1, -2))
        luaL_error(L, "cjson.encode: a read-only table, which paraph.json can encode");
    lua_pop(L, 1);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING)
            m->bytes += lua_rawlen(L, -2);
        measure(L, m, depth + 1);
    }
}

static int l_encode(lua_State *L) {
    struct measure m = {0, 0};

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    measure(L, &m, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

/* Lua may not run out of memory in it. */
static int l_decode(lua_State *L) {
    struct gen *g = gen_of(L);
    size_t n, limit = gen_limit(g);
    int status;

    luaL_checklstring(L, 1, &n);
    luaL_argcheck(L, n <= TEXT_MAX, 1, "over 1 MiB of text: paraph.json takes more");
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    gen_allow_until(g, gen_bytes(g) + 64 * TEXT_MAX);
    status = lua_pcall(L, 1, 1, 0);
    gen_allow_until(g, limit);
    return status == LUA_OK ? 1 : lua_error(L);
}

/* Wrap the function `name` of the module at 1 for the one at 2. */
static void wrap(lua_State *L, const char *name, lua_CFunction with) {
    lua_getfield(L, 1, name);
    lua_pushcclosure(L, with, 1);
    lua_setfield(L, 2, name);
}

int lua_cjson_open(lua_State *L) {
    static const char *const kept[] = {"null", "_NAME", "_VERSION"};

    lua_settop(L, 0);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_newtable(L);
    wrap(L, "encode", l_encode);
    wrap(L, "decode", l_decode);
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        lua_getfield(L, 1, kept[i]);
        lua_setfield(L, 2, kept[i]);
    }
    return 1;
}
