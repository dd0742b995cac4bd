/*
 * lua_testing.h - paraph.testing, which only generations for tests have.
 */
#ifndef LUA_TESTING_H
#define LUA_TESTING_H

#include <lua.h>

/* Make the module known to this generation, with what scripts/lib/testing.lua adds to it, and leave
 * it on the stack.  read_file() reads below root (borrowed); NULL: nothing.  Raises. */
void lua_testing_load(lua_State *L, const char *root);

#endif
