/*
 * sandbox.h - what a script finds: the allowed libraries, `require`, strict globals.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <lua.h>

/* Set up a new state.  Raises when out of memory. */
void sandbox_open(lua_State *L);

#endif
