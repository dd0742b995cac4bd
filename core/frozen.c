#include "frozen.h"

#include <lauxlib.h>

#define VIEWS     "paraph.views" /* table -> its view */
#define DEPTH_MAX 100

static const char behind; /* its address is the key of the table in the metatable of its view */

static int l_newindex(lua_State *L) {
    return luaL_error(L, "%s is read-only: what is required is shared by all (assigned to '%s')",
                      lua_tostring(L, lua_upvalueindex(1)), luaL_tolstring(L, 2, NULL));
}

static int l_len(lua_State *L) {
    lua_pushinteger(L, luaL_len(L, lua_upvalueindex(1)));
    return 1;
}

static int l_pairs(lua_State *L) {
    lua_pushcfunction(L, frozen_next);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

int frozen_next(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    frozen_resolve(L, 1);
    if (lua_next(L, 1))
        return 2;
    lua_pushnil(L);
    return 1;
}

void frozen_resolve(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    if (!lua_getmetatable(L, idx))
        return;
    if (lua_rawgetp(L, -1, &behind) == LUA_TTABLE)
        lua_copy(L, -1, idx);
    lua_pop(L, 2);
}

void frozen_read(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    frozen_resolve(L, idx);
    if (luaL_getmetafield(L, idx, "__mode") != LUA_TNIL)
        luaL_error(L, "a weak table cannot be read here");
}

void frozen_hide(lua_State *L, int idx) {
    idx = lua_absindex(L, idx);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, VIEWS);
    lua_pushvalue(L, idx);
    if (lua_rawget(L, -2) == LUA_TTABLE)
        lua_copy(L, -1, idx);
    lua_pop(L, 2);
}

/* Fill the view's metatable, at the top, for the table at idx. */
static void fill(lua_State *L, int idx, const char *what) {
    static const char *const kept[] = {"__call", "__concat", "__eq",      "__le",
                                       "__lt",   "__name",   "__tostring"};

    for (size_t i = 0; i < COUNT_OF(kept); i++)
        if (luaL_getmetafield(L, idx, kept[i]) != LUA_TNIL)
            lua_setfield(L, -2, kept[i]);
    lua_pushvalue(L, idx);
    lua_rawsetp(L, -2, &behind);
    lua_pushvalue(L, idx);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, idx);
    lua_pushcclosure(L, l_len, 1);
    lua_setfield(L, -2, "__len");
    lua_pushstring(L, what);
    lua_pushcclosure(L, l_newindex, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, l_pairs);
    lua_setfield(L, -2, "__pairs");
    if (luaL_getmetafield(L, idx, "__metatable") == LUA_TNIL)
        lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
}

static bool has_metatable(lua_State *L, int idx) {
    if (!lua_getmetatable(L, idx))
        return false;
    lua_pop(L, 1);
    return true;
}

/* Stack: the views at `views`, a table at the top.  The view is registered before the members are
 * replaced, since they may lead back here. */
static void replace(lua_State *L, int views, const char *what, int depth) {
    int table = lua_gettop(L);

    luaL_checkstack(L, LUA_MINSTACK, NULL);
    lua_pushvalue(L, table);
    if (lua_rawget(L, views) == LUA_TNIL) {
        lua_newtable(L);
        lua_createtable(L, 0, 8);
        fill(L, table, what);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, table);
        lua_pushvalue(L, -2);
        lua_rawset(L, views);
        for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
            if (lua_istable(L, -1) && !has_metatable(L, -1) && depth < DEPTH_MAX) {
                replace(L, views, what, depth + 1);
                lua_pushvalue(L, -2);
                lua_pushvalue(L, -2);
                lua_rawset(L, table);
            }
        lua_remove(L, -2);
    }
    lua_replace(L, table);
    lua_settop(L, table);
}

static bool is_view(lua_State *L, int idx) {
    bool is = lua_getmetatable(L, idx);

    if (is) {
        is = lua_rawgetp(L, -1, &behind) == LUA_TTABLE;
        lua_pop(L, 2);
    }
    return is;
}

void frozen_replace(lua_State *L, const char *what) {
    if (is_view(L, -1))
        return;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, VIEWS);
    lua_insert(L, -2);
    replace(L, lua_absindex(L, -2), what, 0);
    lua_remove(L, -2);
}
