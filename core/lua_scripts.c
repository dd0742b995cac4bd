/*
 * lua_scripts.c - paraph.scripts: the scripts themselves, and what has become of those on the disk.
 */
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "excerpt.h"
#include "gen.h"
#include "tree.h"

#define TEXT_MAX    (1 * MIB) /* of what is compiled */
#define EXCERPT_MAX (64 * KIB)

static int l_names(lua_State *L) {
    size_t n;
    const struct tree_file *files = tree_files(gen_tree(gen_of(L)), &n);

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, files[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* source(name) -> text, path, shipped */
static int l_source(lua_State *L) {
    const struct tree *tree = gen_tree(gen_of(L));
    const char *name = luaL_checkstring(L, 1);
    const struct tree_file *f = tree_find(tree, TREE_SCRIPTS, name);

    if (f == NULL && (f = tree_find(tree, TREE_TEMPLATES, name)) == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, f->text, f->len);
    lua_pushstring(L, f->path);
    lua_pushboolean(L, f->shipped);
    return 3;
}

/* compile(text, name, globals) -> function; nil and the error of the compiler.  Text only, since
 * bytecode could break out of the state. */
static int l_compile(lua_State *L) {
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n), *name = luaL_checkstring(L, 2);

    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_argcheck(L, n <= TEXT_MAX, 1, "too long: 1 MiB at most");
    lua_settop(L, 3);
    lua_pushfstring(L, "=%s", name);
    if (luaL_loadbufferx(L, text, n, lua_tostring(L, -1), "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, 3);
    lua_setupvalue(L, -2, 1);
    return 1;
}

/* excerpt(error) -> text */
static int l_excerpt(lua_State *L) {
    const char *error = luaL_checkstring(L, 1);
    luaL_Buffer result;
    char *room = luaL_buffinitsize(L, &result, EXCERPT_MAX); /* nothing raises while text is held */
    struct buf text;

    buf_init(&text, EXCERPT_MAX);
    excerpt_add(&text, gen_tree(gen_of(L)), error);
    memcpy(room, text.data, text.len);
    luaL_addsize(&result, text.len);
    buf_free(&text);
    luaL_pushresult(&result);
    return 1;
}

static int l_refused(lua_State *L) {
    const struct gen_refusal *refused = gen_refused();
    char since[CLOCK_TEXT_SIZE];

    if (refused->err.code == ERR_NONE) {
        lua_pushnil(L);
        return 1;
    }
    clock_format(since, refused->since_us);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, refused->err.message);
    lua_setfield(L, -2, "error");
    lua_pushstring(L, since);
    lua_setfield(L, -2, "since");
    return 1;
}

int lua_scripts_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"compile", l_compile}, {"excerpt", l_excerpt},
                                         {"names", l_names},     {"refused", l_refused},
                                         {"source", l_source},   {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
