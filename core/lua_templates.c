/*
 * lua_templates.c - paraph.templates: the sources of the templates of this generation.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "gen.h"
#include "tree.h"

static int l_read(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const struct tree_file *f = tree_find(gen_tree(gen_of(L)), TREE_TEMPLATES, name);

    if (f != NULL)
        lua_pushlstring(L, f->text, f->len);
    else
        lua_pushnil(L);
    return 1;
}

static int l_list(lua_State *L) {
    size_t n;
    const struct tree_file *files = tree_files(gen_tree(gen_of(L)), &n);
    lua_Integer listed = 0;

    lua_newtable(L);
    for (size_t i = 0; i < n; i++)
        if (files[i].kind == TREE_TEMPLATES) {
            lua_pushstring(L, files[i].name);
            lua_rawseti(L, -2, ++listed);
        }
    return 1;
}

int lua_templates_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"list", l_list}, {"read", l_read}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
