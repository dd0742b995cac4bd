/*
 * lua_blob.h - blobs as Lua values.
 */
#ifndef LUA_BLOB_H
#define LUA_BLOB_H

#include <lua.h>

#include "blob.h"

/* Push b as a userdata and hold a reference of its own; nil if b is NULL.  Raises when out of
 * memory; the caller's reference stays the caller's. */
void lua_blob_push(lua_State *L, struct blob *b);

/* Push a blob with its own copy of the bytes. */
void lua_blob_push_copy(lua_State *L, const void *p, size_t n);

/* The blob at idx, borrowed; NULL if the value is none. */
struct blob *lua_blob_test(lua_State *L, int idx);
struct blob *lua_blob_check(lua_State *L, int idx);

/* The bytes of a string or blob at idx, borrowed as long as the value stays there; raises
 * otherwise. */
const char *lua_blob_bytes(lua_State *L, int idx, size_t *len);

/* A blob for a string (copied) or blob (referenced) at idx; the caller unrefs it.  NULL when out
 * of memory; raises if the value is neither. */
struct blob *lua_blob_take(lua_State *L, int idx);

#endif
