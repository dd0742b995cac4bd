/*
 * lua_base.c - functions of the globals: the same as Lua's, but contained.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "frozen.h"
#include "lua_log.h"
#include "task.h"

#define PRINT_MAX ((size_t)8 * KIB)

static int l_print(lua_State *L) {
    int n = lua_gettop(L);
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    for (int i = 1; i <= n && luaL_bufflen(&b) < PRINT_MAX; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    lua_log_event(LOG_INFO, "print",
                  (struct log_field[]){LOG_S("text", lua_log_text(L, -1)), LOG_END});
    return 0;
}

/* A finalizer would run at a moment of the collector's choosing, outside any budget; rawset() is
 * not there for the same reason.  One that is put into a metatable later does not count: Lua looks
 * for it here alone. */
static int l_setmetatable(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    lua_settop(L, 2);
    frozen_resolve(L, 2); /* the metatable may be a module */
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "__gc is not available in policies: use <close>");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_getmetatable(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return 1;
    if (!lua_getmetatable(L, 1))
        lua_pushnil(L);
    frozen_hide(L, 2);
    return 1;
}

/* A budget that is used up raises in a hook, and a message handler is called inside of it, where no
 * hook fires: a handler of scripts would run there without end. */
static int l_handler(lua_State *L) {
    if (task_is_over())
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int l_xpcall_finish(lua_State *L, int status, lua_KContext ctx) {
    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1;
    lua_pushboolean(L, false);
    lua_insert(L, -2);
    return 2;
}

static int l_xpcall(lua_State *L) {
    int n = lua_gettop(L);

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, l_handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, true); /* the first result */
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* handler at 2, true, the function, its arguments */
    lua_remove(L, 1);
    return l_xpcall_finish(L, lua_pcallk(L, n - 2, LUA_MULTRET, 1, 0, l_xpcall_finish), 0);
}

int lua_base_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"getmetatable", l_getmetatable}, {"next", frozen_next}, {"print", l_print},
        {"setmetatable", l_setmetatable}, {"xpcall", l_xpcall},  {NULL, NULL}};

    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
