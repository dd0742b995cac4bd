/*
 * lua_time.c - paraph.time: now, parse, format, monotonic.
 */
#include <math.h>

#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "gen.h"
#include "scratch.h"

static int push_text(lua_State *L, int64_t us) {
    char text[CLOCK_TEXT_SIZE];

    clock_format(text, us);
    lua_pushstring(L, text);
    return 1;
}

static int l_now(lua_State *L) {
    return push_text(L, gen_now_us(L));
}

static int l_parse(lua_State *L) {
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);
    int64_t us;

    if (clock_parse(s, n, &us) != 0)
        return 0;
    lua_pushnumber(L, (lua_Number)us / 1e6);
    return 1;
}

static int l_format(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);

    luaL_argcheck(L, seconds > -62e9 && seconds < 253e9, 1, "seconds within the years 1 to 9999");
    return push_text(L, llround(seconds * 1e6));
}

static int l_monotonic(lua_State *L) {
    const struct scratch *s = gen_scratch(L);
    uint64_t us = s != NULL ? scratch_monotonic_us(s) : clock_monotonic_us();

    lua_pushnumber(L, (lua_Number)us / 1e3);
    return 1;
}

int lua_time_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"now", l_now},
                                         {"parse", l_parse},
                                         {"format", l_format},
                                         {"monotonic", l_monotonic},
                                         {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
