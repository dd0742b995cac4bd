/*
 * lua_errors.c - paraph.errors: the closed list of codes.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "err.h"

/* statuses() -> word -> HTTP status */
static int l_statuses(lua_State *L) {
    lua_newtable(L);
#define X(name, word, status)                                                                      \
    lua_pushinteger(L, status);                                                                    \
    lua_setfield(L, -2, word);
    ERR_CODES(X)
#undef X
    return 1;
}

int lua_errors_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"statuses", l_statuses}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
