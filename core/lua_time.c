/*
 * lua_time.c - paraph.time: now, date, parse, parse_http, format, monotonic.
 */
#include <math.h>
#include <time.h>

#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "gen.h"
#include "scratch.h"

/* The argument in microseconds, if its year is one that a text has room for. */
static int64_t check_us(lua_State *L, lua_Number seconds) {
    static const lua_Number first = -62135596800, end = 253402300800;

    luaL_argcheck(L, seconds >= first && seconds < end, 1, "seconds within the years 1 to 9999");
    return llround(seconds * 1e6);
}

static int push_text(lua_State *L, int64_t us) {
    char text[CLOCK_TEXT_SIZE];

    clock_format(text, us);
    lua_pushstring(L, text);
    return 1;
}

static int l_now(lua_State *L) {
    return push_text(L, gen_now_us(L));
}

static void set_integer(lua_State *L, const char *name, int value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

/* In local time, which is what the variable TZ says. */
static int l_date(lua_State *L) {
    lua_Number seconds = luaL_optnumber(L, 1, (lua_Number)gen_now_us(L) / 1e6);
    struct tm tm;
    time_t whole;
    int64_t us;

    us = check_us(L, seconds);
    whole = (time_t)floor(seconds);
    if (localtime_r(&whole, &tm) == NULL)
        return luaL_error(L, "there is no such local time");
    lua_createtable(L, 0, 8);
    set_integer(L, "year", tm.tm_year + 1900);
    set_integer(L, "month", tm.tm_mon + 1);
    set_integer(L, "day", tm.tm_mday);
    set_integer(L, "hour", tm.tm_hour);
    set_integer(L, "minute", tm.tm_min);
    set_integer(L, "weekday", tm.tm_wday == 0 ? 7 : tm.tm_wday);
    lua_pushstring(L, tm.tm_zone);
    lua_setfield(L, -2, "zone");
    (void)push_text(L, us);
    lua_setfield(L, -2, "utc");
    return 1;
}

/* A time that was parsed, or was none. */
static int push_seconds(lua_State *L, int status, int64_t us) {
    if (status == 0)
        lua_pushnumber(L, (lua_Number)us / 1e6);
    else
        lua_pushnil(L);
    return 1;
}

static int l_parse(lua_State *L) {
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);
    int64_t us = 0;
    int status = clock_parse(s, n, &us);

    return push_seconds(L, status, us);
}

static int l_parse_http(lua_State *L) {
    int64_t us = 0;
    int status = clock_parse_http(luaL_checkstring(L, 1), &us);

    return push_seconds(L, status, us);
}

static int l_format(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);

    return push_text(L, check_us(L, seconds));
}

static int l_monotonic(lua_State *L) {
    const struct scratch *s = gen_scratch(L);
    uint64_t us = s != NULL ? scratch_monotonic_us(s) : clock_monotonic_us();

    lua_pushnumber(L, (lua_Number)us / 1e3);
    return 1;
}

int lua_time_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"now", l_now},       {"date", l_date},
                                         {"parse", l_parse},   {"parse_http", l_parse_http},
                                         {"format", l_format}, {"monotonic", l_monotonic},
                                         {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
