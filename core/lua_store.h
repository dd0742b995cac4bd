/*
 * lua_store.h - what paraph.store (lua_store.c) and its claims (lua_claim.c) share.
 */
#ifndef LUA_STORE_H
#define LUA_STORE_H

#include <lua.h>

#include "store.h"
#include "task.h"

#define LUA_STORE_REMOVE_MAX 64 /* members that one update takes away */

struct lua_store_op {
    struct op op;
    enum store_verb verb;
    struct store_call *call; /* NULL: not under way */
    json_t *fields, *append; /* of the request, until it is started */
    struct store_companion with[STORE_WITH_MAX];
    size_t nwith;
    struct store_reply *reply; /* once it is there; NULL where it failed */
};

/* Push an operation of `size` bytes (struct lua_store_op first) with the document at an index (0:
 * none) as its fields.  NULL: they cannot be carried, nil and err are pushed. */
void *lua_store_op_new(lua_State *L, size_t size, enum store_verb verb, int document);

/* Start the request with those fields and wait: what a binding returns. */
int lua_store_op_start(lua_State *L, struct lua_store_op *o, struct store_request *rq,
                       lua_KFunction finish);

/* Leave a table of options at idx, the last argument; `names` ends with NULL.  Raises on others. */
void lua_store_check_options(lua_State *L, int idx, const char *const *names);

/* Option `with`, a list of { collection, id, document }, whose texts the table at idx keeps. false:
 * a document cannot be carried, nil and err are pushed. */
bool lua_store_with_option(lua_State *L, int idx, struct lua_store_op *o);

/* Option `remove`, a list of names, which `names` has room for and the table at idx keeps. */
void lua_store_remove_option(lua_State *L, int idx, struct store_request *rq,
                             const char *names[LUA_STORE_REMOVE_MAX]);

#endif
