/*
 * lua_table.c - insert, move, remove and sort of the global `table`: the same as Lua's, but where
 * those work through any range that a script names (`__len` may say 2^60) in C, where no hook
 * fires, these ask for the time at each step.
 */
#include <limits.h>

#include <lauxlib.h>

#include "bindings.h"
#include "task.h"

/* to[j] = from[i] */
static void copy_one(lua_State *L, int from, lua_Integer i, int to, lua_Integer j) {
    task_check_time(L);
    lua_geti(L, from, i);
    lua_seti(L, to, j);
}

static int l_insert(lua_State *L) {
    lua_Integer end, pos;

    luaL_checktype(L, 1, LUA_TTABLE);
    end = (lua_Integer)((lua_Unsigned)luaL_len(L, 1) + 1);
    switch (lua_gettop(L)) {
    case 2:
        pos = end;
        break;
    case 3:
        pos = luaL_checkinteger(L, 2);
        luaL_argcheck(L, (lua_Unsigned)pos - 1u < (lua_Unsigned)end, 2, "position out of bounds");
        for (lua_Integer i = end; i > pos; i--)
            copy_one(L, 1, i - 1, 1, i);
        break;
    default:
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    lua_seti(L, 1, pos);
    return 0;
}

static int l_remove(lua_State *L) {
    lua_Integer n, pos;

    luaL_checktype(L, 1, LUA_TTABLE);
    n = luaL_len(L, 1);
    pos = luaL_optinteger(L, 2, n);
    if (lua_gettop(L) > 1)
        luaL_argcheck(L, (lua_Unsigned)n + 1u - (lua_Unsigned)pos <= (lua_Unsigned)n + (n == 0), 2,
                      "position out of bounds");
    lua_geti(L, 1, pos);
    for (; pos < n; pos++)
        copy_one(L, 1, pos + 1, 1, pos);
    lua_pushnil(L);
    lua_seti(L, 1, pos);
    return 1;
}

static int l_move(lua_State *L) {
    lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3);
    lua_Integer to = luaL_checkinteger(L, 4), n;
    int target = lua_isnoneornil(L, 5) ? 1 : 5;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, target, LUA_TTABLE);
    if (last >= first) {
        luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3,
                      "too many elements to move");
        n = last - first + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wrap around");
        if (to > last || to <= first || (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ)))
            for (lua_Integer i = 0; i < n; i++)
                copy_one(L, 1, first + i, target, to + i);
        else
            for (lua_Integer i = n - 1; i >= 0; i--)
                copy_one(L, 1, first + i, target, to + i);
    }
    lua_pushvalue(L, target);
    return 1;
}

static int l_less(lua_State *L) {
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

/* A comparison that is a function gives the watchdog calls to fire at. */
static int l_sort(lua_State *L) {
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, l_less);
        lua_replace(L, 2);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 0);
    return 0;
}

int lua_table_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"insert", l_insert}, {"move", l_move}, {"remove", l_remove}, {NULL, NULL}};

    lua_getglobal(L, "table");
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "sort");
    lua_pushcclosure(L, l_sort, 1);
    lua_setfield(L, -2, "sort");
    return 1;
}
