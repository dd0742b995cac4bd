/*
 * frozen.h - read-only views: what scripts share, they cannot change for each other.
 *
 * A view is an empty table in whose place its metatable finds the members of the table behind it.
 * Lua code does not see the difference (`pairs`, `next`, `#` and the functions of `table` that only
 * read work); a binding that reads a table raw asks frozen_resolve() first.
 */
#ifndef FROZEN_H
#define FROZEN_H

#include <lua.h>

#include "base.h"

/* Replace the table at the top by its view, and the tables in it by theirs, as far as they are
 * data: one with a metatable of its own keeps its behaviour, and in a member is left as it is.
 * `what` begins the sentence that an assignment raises: "module 'lib.x'". */
void frozen_replace(lua_State *L, const char *what);

/* Put the table behind the view at idx in its place; nothing if it is none. */
void frozen_resolve(lua_State *L, int idx);

/* The same for a table of whose members pointers are kept.  Raises on a weak one, where the
 * collector could take them away. */
void frozen_read(lua_State *L, int idx);

/* Put the view of the table at idx in its place, if it has one. */
void frozen_hide(lua_State *L, int idx);

/* next(), of a view too. */
int frozen_next(lua_State *L);

#endif
