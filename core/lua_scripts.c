/*
 * lua_scripts.c - paraph.scripts: what has become of the scripts on the disk.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "gen.h"

static int l_refused(lua_State *L) {
    const struct gen_refusal *refused = gen_refused();
    char since[CLOCK_TEXT_SIZE];

    if (refused->err.code == ERR_NONE)
        return 0;
    clock_format(since, refused->since_us);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, refused->err.message);
    lua_setfield(L, -2, "error");
    lua_pushstring(L, since);
    lua_setfield(L, -2, "since");
    return 1;
}

int lua_scripts_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"refused", l_refused}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
