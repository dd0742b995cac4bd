/*
 * lua_member.h - tables that scripts describe something by, read strictly.
 */
#ifndef LUA_MEMBER_H
#define LUA_MEMBER_H

#include <lua.h>

#include "base.h"
#include "err.h"

#define MEMBER_ABSENT (1u << LUA_TNIL)
#define MEMBER_STRING (1u << LUA_TSTRING)
#define MEMBER_TABLE  (1u << LUA_TTABLE)
#define MEMBER_BLOB   (1u << LUA_TUSERDATA)

struct lua_member {
    const char *name;
    unsigned types; /* a set of those */
};

/* Push the n members of the table at idx.  Unknown members and wrong types raise, and are named
 * behind `path` ("", "from.", "parts[1]."); -1 and *e: a text has a NUL, which C would cut there,
 * and is named as a field of the request behind `field` ("attachments[0]."). */
int lua_member_push(lua_State *L, int idx, const char *path, const char *field,
                    const struct lua_member *members, size_t n, struct err *e);

/* The length of the list at idx; raises if the table is no list. */
size_t lua_member_list_length(lua_State *L, int idx, const char *name);

#endif
