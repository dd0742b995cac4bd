/*
 * lua_environ.c - paraph.environ: the environment variables that are meant for policies.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "encode.h"

#define PREFIX "POLICY_" /* of all that scripts may read: the others hold secrets */

static int l_environ(lua_State *L) {
    const char *name = luaL_checkstring(L, 1), *value;

    luaL_argcheck(L, strncmp(name, PREFIX, strlen(PREFIX)) == 0, 1,
                  "scripts may read the variables whose names begin with " PREFIX);
    value = getenv(name);
    if (value == NULL || *value == '\0' || encode_utf8_error(value, strlen(value)) != strlen(value))
        value = NULL;
    lua_pushstring(L, value); /* nil for NULL */
    return 1;
}

int lua_environ_open(lua_State *L) {
    lua_pushcfunction(L, l_environ);
    return 1;
}
