/*
 * lua_templates.c - paraph.templates: the sources of the templates, read whole when the module is
 * first required, so that a generation never mixes old and new ones.
 */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>

#include "bindings.h"
#include "env.h"

#define SUFFIX    ".mustache"
#define FILE_MAX  ((size_t)MIB)
#define FILES_MAX 2000

static int l_read(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
}

static int l_list(lua_State *L) {
    lua_settop(L, 0);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, lua_upvalueindex(1)) != 0; lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
    }
    return 1;
}

static void read_file(lua_State *L, const char *path, size_t size) {
    luaL_Buffer b;
    FILE *f;
    size_t n;
    char *to;

    if (size > FILE_MAX)
        luaL_error(L, "template %s is over %d bytes", path, (int)FILE_MAX);
    to = luaL_buffinitsize(L, &b, size);
    if ((f = fopen(path, "re")) == NULL)
        luaL_error(L, "template %s cannot be read: %s", path, strerror(errno));
    n = fread(to, 1, size, f);
    fclose(f);
    luaL_pushresultsize(&b, n);
}

struct walk {
    FTS *fts;
};

static int l_walk_gc(lua_State *L) {
    struct walk *w = lua_touserdata(L, 1);

    if (w->fts != NULL)
        fts_close(w->fts);
    w->fts = NULL;
    return 0;
}

/* Add every template below dir to the table at index 1. */
static void read_tree(lua_State *L, const char *dir) {
    char *roots[] = {(char *)(uintptr_t)dir, NULL};
    struct walk *w = lua_newuserdatauv(L, sizeof(*w), 0);
    size_t n, suffix = strlen(SUFFIX), files = 0;
    FTSENT *f;

    w->fts = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_walk_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    if ((w->fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL)) == NULL)
        luaL_error(L, "templates in %s cannot be read: %s", dir, strerror(errno));
    while ((f = fts_read(w->fts)) != NULL) {
        n = strlen(f->fts_name);
        if (f->fts_info != FTS_F || n <= suffix || strcmp(f->fts_name + n - suffix, SUFFIX) != 0)
            continue;
        if (++files > FILES_MAX)
            luaL_error(L, "more than %d templates in %s", FILES_MAX, dir);
        read_file(L, f->fts_path, (size_t)f->fts_statp->st_size);
        lua_setfield(L, 1, f->fts_path + strlen(dir) + 1);
    }
    fts_close(w->fts);
    w->fts = NULL;
    lua_pop(L, 1);
}

int lua_templates_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"list", l_list}, {"read", l_read}, {NULL, NULL}};

    lua_settop(L, 0);
    lua_newtable(L);
    read_tree(L, env.shipped_templates_dir);
    if (env.templates_dir != NULL)
        read_tree(L, env.templates_dir); /* shadows what is shipped */
    luaL_newlibtable(L, functions);
    lua_insert(L, 1);
    luaL_setfuncs(L, functions, 1);
    return 1;
}
