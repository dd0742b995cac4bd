/*
 * lua_claim.h - claims as Lua values: who may send a draft.
 *
 * A claim is made by one conditional write that turns a document to `sending`, and is held as long
 * as its own writes succeed, each of which demands the version that the one before gave.
 */
#ifndef LUA_CLAIM_H
#define LUA_CLAIM_H

#include <lua.h>

/* Register the type. */
void lua_claim_open(lua_State *L);

/* store.claim(collection, id, version, members, {remove}) -> claim | nil | nil, err */
int lua_claim_take(lua_State *L);

/* The id of the document that the claim at idx holds, borrowed from it; raises if the value is no
 * claim, or is not held any more. */
const char *lua_claim_check(lua_State *L, int idx);

#endif
