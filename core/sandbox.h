/*
 * sandbox.h - what a script finds: the allowed libraries, `require`, strict globals.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <lua.h>

struct tree_file;

/* Set up a new state.  Raises when out of memory. */
void sandbox_open(lua_State *L);

/* Push the chunk of a script, or its error, as luaL_loadbufferx(): text only, since bytecode could
 * break out of the state. */
int sandbox_load(lua_State *L, const struct tree_file *f);

/* Let scripts change the modules that they require from here on: for tests, which put others in the
 * place of members.  Libraries and globals stay read-only. */
void sandbox_open_modules(lua_State *L);

/* Pop a value and make it a global. */
void sandbox_define(lua_State *L, const char *name);

#endif
