/*
 * lua_rehearsal.h - what has left, or waits in the mailbox, in a world without a mail server.
 */
#ifndef LUA_REHEARSAL_H
#define LUA_REHEARSAL_H

#include <lua.h>

#include "scratch.h"

/* Push the list of the letters of a scratch, in the order of scratch_letters(). */
void lua_rehearsal_push_letters(lua_State *L, const struct scratch *s);

#endif
