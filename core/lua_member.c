#include "lua_member.h"

#include <stdio.h>
#include <string.h>

#include <lauxlib.h>

#include "frozen.h"

/* Raise unless the table at idx has no more than those of its members that have been found. */
static void refuse_unknown_members(lua_State *L, int idx, const char *path,
                                   const struct lua_member *members, size_t n, size_t found) {
    size_t there = 0;

    for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1))
        there++;
    if (there == found)
        return;
    for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
        size_t i = 0;

        while (i < n && strcmp(key, members[i].name) != 0)
            i++;
        if (i == n)
            luaL_error(L, "unknown member '%s%s'", path, luaL_tolstring(L, -2, NULL));
    }
}

/* A string with a NUL, which C would cut there, is the world's fault. */
static int check_text(lua_State *L, int idx, const char *path, const char *name, struct err *e) {
    char field[sizeof(e->field)];
    size_t len;
    const char *s = lua_tolstring(L, idx, &len);

    if (memchr(s, '\0', len) == NULL)
        return 0;
    snprintf(field, sizeof(field), "%s%s", path, name);
    return err_set_field(e, ERR_INVALID_FIELD, field, "%s: a NUL character is not possible", field);
}

static int refuse_type(lua_State *L, int idx, const char *path, const struct lua_member *m) {
    static const struct {
        unsigned type;
        const char *name;
    } types[] = {{MEMBER_STRING, "string"}, {MEMBER_TABLE, "table"}, {MEMBER_BLOB, "blob"}};
    const char *wanted = "";

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if ((m->types & types[i].type) != 0)
            wanted =
                lua_pushfstring(L, "%s%s%s", wanted, *wanted != '\0' ? " or " : "", types[i].name);
    return luaL_error(L, "wrong type of member '%s%s': %s expected, got %s", path, m->name, wanted,
                      luaL_typename(L, idx));
}

int lua_member_push(lua_State *L, int idx, const char *path, const char *field,
                    const struct lua_member *members, size_t n, struct err *e) {
    int base = lua_gettop(L);
    size_t found = 0;

    luaL_checkstack(L, (int)n + LUA_MINSTACK, NULL);
    frozen_read(L, idx);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, members[i].name);
        found += lua_rawget(L, idx) != LUA_TNIL;
    }
    refuse_unknown_members(L, idx, path, members, n, found);
    for (size_t i = 0; i < n; i++) {
        int member = base + 1 + (int)i;

        if ((members[i].types >> lua_type(L, member) & 1) == 0)
            return refuse_type(L, member, path, &members[i]);
        if (lua_type(L, member) == LUA_TSTRING &&
            check_text(L, member, field, members[i].name, e) != 0)
            return -1;
    }
    return 0;
}

size_t lua_member_list_length(lua_State *L, int idx, const char *name) {
    size_t n, members = 0;

    frozen_read(L, idx);
    n = lua_rawlen(L, idx);
    for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1))
        members++;
    if (members != n)
        luaL_error(L, "member '%s' must be a list", name);
    return n;
}
