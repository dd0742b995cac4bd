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

static void push_address(lua_State *L, const struct address *a) {
    lua_createtable(L, 0, 4);
    set_string(L, "address", a->spec);
    set_string(L, "local_part", a->local);
    set_string(L, "domain", a->domain);
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
        push_address(L, &s->list.v[i]);
        set_string(L, "name", s->list.v[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    scratch_fini(s);
    return 1;
}

/* count(s) -> integer | nil, err */
static int l_count(lua_State *L) {
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    struct address_list list = {0};
    struct err e;
    int status = address_parse(&list, text, n, &e);

    n = list.n;
    address_list_fini(&list);
    if (status != 0)
        return task_push_err(L, &e);
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/* --- the recipients of a document ------------------------------------------------------------ */

/* The stack of l_recipients(). */
enum { DOCUMENT = 1, RECIPIENTS, DOMAINS, KNOWN, SCRATCH };

/* Add the domain to DOMAINS, unless it is there. */
static void add_domain(lua_State *L, const char *domain) {
    lua_pushstring(L, domain);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, KNOWN) == LUA_TNIL) {
        lua_pushvalue(L, -2);
        lua_pushboolean(L, true);
        lua_rawset(L, KNOWN);
        lua_pushvalue(L, -2);
        lua_rawseti(L, DOMAINS, (lua_Integer)lua_rawlen(L, DOMAINS) + 1);
    }
    lua_pop(L, 2);
}

/* Those of the text at the top; none if it cannot be read, since nothing leaves for that. */
static void add_recipients(lua_State *L, struct scratch *s, const char *field) {
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    struct err e;

    address_list_fini(&s->list);
    if (address_parse(&s->list, text, n, &e) != 0)
        return;
    for (size_t i = 0; i < s->list.n; i++) {
        push_address(L, &s->list.v[i]);
        set_string(L, "field", field);
        lua_rawseti(L, RECIPIENTS, (lua_Integer)lua_rawlen(L, RECIPIENTS) + 1);
        add_domain(L, s->list.v[i].domain);
    }
}

/* recipients(document) -> recipients, domains */
static int l_recipients(lua_State *L) {
    static const char *const fields[] = {"to", "cc", "bcc"};
    struct scratch *s;

    luaL_checktype(L, DOCUMENT, LUA_TTABLE);
    lua_settop(L, DOCUMENT);
    lua_newtable(L);
    lua_newtable(L);
    lua_newtable(L);
    s = scratch_push(L);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (lua_getfield(L, DOCUMENT, fields[i]) == LUA_TSTRING)
            add_recipients(L, s, fields[i]);
        for (lua_Integer k = 1; lua_istable(L, -1) && lua_geti(L, -1, k) != LUA_TNIL; k++) {
            task_check_time(L); /* whoever wrote the document may have written thousands */
            if (lua_type(L, -1) == LUA_TSTRING)
                add_recipients(L, s, fields[i]);
            lua_pop(L, 1);
        }
        lua_settop(L, SCRATCH);
    }
    scratch_fini(s);
    lua_settop(L, DOMAINS);
    return 2;
}

/* --- writing one ----------------------------------------------------------------------------- */

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
        {"count", l_count},           {"parse", l_parse}, {"format", l_format},
        {"recipients", l_recipients}, {NULL, NULL},
    };

    luaL_newmetatable(L, SCRATCH_TYPE);
    lua_pushcfunction(L, l_scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
