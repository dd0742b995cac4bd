/*
 * lua_fetch.h - one HTTP exchange, for the bindings that have one.
 */
#ifndef LUA_FETCH_H
#define LUA_FETCH_H

#include <lua.h>

#include "fetch.h"

/* The stack that lua_fetch_send() expects: the request as paraph.fetch takes it, for a test that
 * answers in its place; and the body, a string or a blob, or nil. */
enum { LUA_FETCH_OPTIONS = 1, LUA_FETCH_BODY = 3 };

/* Send it and wait: what a binding returns, and the script gets what paraph.fetch gives.  A
 * malformed request raises. */
int lua_fetch_send(lua_State *L, struct fetch_request *rq);

#endif
