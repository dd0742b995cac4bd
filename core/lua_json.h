/*
 * lua_json.h - JSON to and from Lua values (the rules are in scripts/types/json.lua).
 *
 * Trees are jansson's; json_text.h parses them.  On the Lua side null is a light userdata of NULL,
 * and arrays carry a metatable of their own, so that [] and {} stay apart.
 */
#ifndef LUA_JSON_H
#define LUA_JSON_H

#include <jansson.h>
#include <lua.h>

#include "buf.h"
#include "err.h"

#define LUA_JSON_DEPTH    64
#define LUA_JSON_TEXT_MAX (64 * MIB) /* of a text that encode makes */

/* Push the Lua value of j.  Raises when out of memory or Lua stack. */
void lua_json_push(lua_State *L, const json_t *j);

/* The tree of the value at idx: a new reference, or NULL and *e (ERR_INVALID_FIELD with the path
 * of the member at fault).  Raises for memory, and on a weak table (frozen_read()). */
json_t *lua_json_read(lua_State *L, int idx, struct err *e);

/* Append the text of the value at idx, compact, members in the order of their names.  -1 and *e
 * like lua_json_read().  Raises when out of Lua memory, so out must have an owner that survives
 * that. */
int lua_json_encode(lua_State *L, int idx, struct buf *out, struct err *e);

/* The same with so many spaces for each level (0: compact), of which there may be max_depth.  How
 * many values it is, or -1. */
long lua_json_write(lua_State *L, int idx, unsigned max_depth, int indent, struct buf *out,
                    struct err *e);

#endif
