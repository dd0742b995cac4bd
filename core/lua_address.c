/*
 * lua_address.c - paraph.address: mailboxes for scripts.
 *
 * What C allocates hangs on a userdata while Lua values are made, so that an error raised then
 * leaks nothing.
 */
#include <string.h>

#include <lauxlib.h>

#include "address.h"
#include "bindings.h"
#include "task.h"

#define SCRATCH_TYPE "paraph.address.scratch"
#define FORMAT_MAX   MIB

struct scratch {
    struct address_list list;
    struct buf text;
};

static struct scratch *scratch_push(lua_State *L) {
    struct scratch *s = lua_newuserdatauv(L, sizeof(*s), 0);

    memset(s, 0, sizeof(*s));
    buf_init(&s->text, FORMAT_MAX);
    luaL_setmetatable(L, SCRATCH_TYPE);
    return s;
}

static void scratch_fini(struct scratch *s) {
    address_list_fini(&s->list);
    buf_free(&s->text);
}

static int l_scratch_gc(lua_State *L) {
    scratch_fini(luaL_checkudata(L, 1, SCRATCH_TYPE));
    return 0;
}

static void set_string(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

/* parse(s) -> mailboxes | nil, err */
static int l_parse(lua_State *L) {
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct scratch *s = scratch_push(L);
    struct err e;

    if (address_parse(&s->list, text, n, &e) != 0)
        return task_push_err(L, &e);
    lua_createtable(L, (int)s->list.n, 0);
    for (size_t i = 0; i < s->list.n; i++) {
        const struct address *a = &s->list.v[i];

        lua_createtable(L, 0, 4);
        set_string(L, "name", a->name);
        set_string(L, "address", a->spec);
        set_string(L, "local_part", a->local);
        set_string(L, "domain", a->domain);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    scratch_fini(s);
    return 1;
}

/* format{address = ..., name = ...} -> string */
static int l_format(lua_State *L) {
    const char *text, *name;
    struct scratch *s;
    struct err e;
    size_t n;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "address");
    luaL_argcheck(L, lua_type(L, 2) == LUA_TSTRING, 1, "address is not a string");
    lua_getfield(L, 1, "name");
    luaL_argcheck(L, lua_isnoneornil(L, 3) || lua_type(L, 3) == LUA_TSTRING, 1,
                  "name is not a string");
    text = lua_tolstring(L, 2, &n);
    name = lua_tostring(L, 3);
    s = scratch_push(L);
    if (address_parse(&s->list, text, n, &e) != 0)
        return luaL_argerror(L, 1, lua_pushstring(L, e.message));
    luaL_argcheck(L, s->list.n == 1, 1, "address is not one e-mail address");
    if (name != NULL && address_list_add(&s->list, &s->list.v[0], name) != 0)
        return luaL_error(L, "out of memory");
    address_format(&s->text, &s->list.v[s->list.n - 1]);
    if (buf_failed(&s->text))
        return luaL_argerror(L, 1, "name is too long");
    lua_pushlstring(L, s->text.data, s->text.len);
    scratch_fini(s);
    return 1;
}

int lua_address_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"parse", l_parse},
        {"format", l_format},
        {NULL, NULL},
    };

    luaL_newmetatable(L, SCRATCH_TYPE);
    lua_pushcfunction(L, l_scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
