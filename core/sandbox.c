#include "sandbox.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"
#include "frozen.h"
#include "gen.h"
#include "task.h"
#include "tree.h"

#define LOADED "paraph.loaded"
#define OPEN   "paraph.open" /* true: modules may be changed */

static const luaL_Reg modules[] = {
    {"cjson", lua_cjson_open},
    {"paraph.address", lua_address_open},
    {"paraph.blob", lua_blob_open},
    {"paraph.config", lua_config_open},
    {"paraph.crypto", lua_crypto_open},
    {"paraph.environ", lua_environ_open},
    {"paraph.errors", lua_errors_open},
    {"paraph.fetch", lua_fetch_open},
    {"paraph.jobs", lua_jobs_open},
    {"paraph.json", lua_json_open},
    {"paraph.log", lua_log_open},
    {"paraph.mail", lua_mail_open},
    {"paraph.metrics", lua_metrics_open},
    {"paraph.policy", lua_policy_open},
    {"paraph.prompt", lua_prompt_open},
    {"paraph.rehearsal", lua_rehearsal_open},
    {"paraph.scripts", lua_scripts_open},
    {"paraph.serve", lua_serve_open},
    {"paraph.session", lua_session_open},
    {"paraph.store", lua_store_open},
    {"paraph.task", lua_task_open},
    {"paraph.templates", lua_templates_open},
    {"paraph.text", lua_text_open},
    {"paraph.time", lua_time_open},
    {"paraph.webhook", lua_webhook_open},
};

/* --- require --------------------------------------------------------------------------------- */

static bool is_module_name(const char *name) {
    return *name != '\0' && *name != '.' && strstr(name, "..") == NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
               strlen(name);
}

int sandbox_load(lua_State *L, const struct tree_file *f) {
    size_t mark = strncmp(f->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* some editors' */
    int status;

    lua_pushfstring(L, "@%s", f->name);
    status = luaL_loadbufferx(L, f->text + mark, f->len - mark, lua_tostring(L, -1), "t");
    lua_remove(L, -2);
    return status;
}

/* "shipped/routes.lua" is routes.lua as it is shipped, whether it is shadowed or not. */
static const struct tree_file *find_script(lua_State *L, const char *file) {
    const struct tree *tree = gen_tree(gen_of(L));
    const struct tree_file *f = tree_find(tree, TREE_SCRIPTS, file);

    if (f != NULL || strncmp(file, TREE_SHADOWED, strlen(TREE_SHADOWED)) != 0)
        return f;
    f = tree_find(tree, TREE_SCRIPTS, file + strlen(TREE_SHADOWED));
    return f != NULL && f->shipped ? f : NULL;
}

static void push_script(lua_State *L, const char *name) {
    const char *file = lua_pushfstring(L, "%s.lua", luaL_gsub(L, name, ".", "/"));
    const struct tree_file *f = is_module_name(name) ? find_script(L, file) : NULL;

    if (f == NULL)
        luaL_error(L, "there is no module '%s' (no %s among the scripts)", name, file);
    else if (sandbox_load(L, f) != LUA_OK)
        lua_error(L);
}

static bool is_shipped(const char *name) {
    return strncmp(name, "shipped.", strlen("shipped.")) == 0;
}

/* In place of a shipped module at the top: a copy, which the overlay may build on and change. */
static void copy_shipped(lua_State *L, const char *name) {
    if (!is_shipped(name) || !lua_istable(L, -1))
        return;
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, -3) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    if (lua_getmetatable(L, -2))
        lua_setmetatable(L, -2);
    lua_replace(L, -2);
}

/* Freeze the module at the top, but for what the host alone reads, and what nobody shares. */
static void freeze_module(lua_State *L, const char *name) {
    bool open = lua_getfield(L, LUA_REGISTRYINDEX, OPEN) == LUA_TBOOLEAN;

    lua_pop(L, 1);
    if (open || !lua_istable(L, -1) || strcmp(name, "routes") == 0 || strcmp(name, "jobs") == 0 ||
        is_shipped(name))
        return;
    lua_pushfstring(L, "module '%s'", name);
    lua_insert(L, -2);
    frozen_replace(L, lua_tostring(L, -2));
    lua_remove(L, -2);
}

void sandbox_open_modules(lua_State *L) {
    lua_pushboolean(L, true);
    lua_setfield(L, LUA_REGISTRYINDEX, OPEN);
}

static int l_require(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    int status;

    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    if (lua_getfield(L, 2, name) == LUA_TBOOLEAN)
        return luaL_error(L, "module '%s' requires itself, directly or through others", name);
    if (!lua_isnil(L, -1)) {
        copy_shipped(L, name);
        return 1;
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, task_place);
    for (size_t i = 0; i < COUNT_OF(modules); i++)
        if (strcmp(modules[i].name, name) == 0) {
            lua_pushcfunction(L, modules[i].func);
            break;
        }
    if (lua_gettop(L) == 3)
        push_script(L, name);
    lua_pushboolean(L, true); /* under way */
    lua_setfield(L, 2, name);
    lua_pushvalue(L, 1);
    status = lua_pcall(L, 1, 1, 3);
    if (status == LUA_OK && (lua_isnil(L, -1) || lua_isboolean(L, -1))) {
        /* Without a place: it is not missing where the module is required. */
        lua_pushfstring(L, "module '%s' returns nothing to require", name);
        status = LUA_ERRRUN;
    }
    if (status != LUA_OK) {
        lua_pushnil(L);
        lua_setfield(L, 2, name);
        return lua_error(L);
    }
    freeze_module(L, name);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    copy_shipped(L, name);
    return 1;
}

/* --- globals --------------------------------------------------------------------------------- */

static int l_undeclared(lua_State *L) {
    const char *name = luaL_tolstring(L, 2, NULL);

    if (strcmp(name, "coroutine") == 0)
        return luaL_error(L, "there is no coroutine library in policies: use paraph.task");
    return luaL_error(L, "unknown global '%s' (a misspelt name, or a missing require)", name);
}

static int l_assign(lua_State *L) {
    return luaL_error(L,
                      "assignment to the global '%s': write `local`, or return it from the module",
                      luaL_tolstring(L, 2, NULL));
}

/* The library at the top of the stack, from here on a view. */
static void freeze_library(lua_State *L, const char *name) {
    lua_getfield(L, -1, name);
    frozen_replace(L, name);
    lua_setfield(L, -2, name);
}

/* Scripts see a view of the table of globals, which the host alone can change. */
static void seal_globals(lua_State *L) {
    static const char *const taken[] = {"_G",       "collectgarbage", "dofile", "load",
                                        "loadfile", "rawset",         "warn"};
    static const char *const libraries[] = {LUA_STRLIBNAME, LUA_TABLIBNAME, LUA_MATHLIBNAME,
                                            LUA_UTF8LIBNAME};

    lua_pushglobaltable(L);
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, taken[i]);
    }
    lua_pushcfunction(L, l_require);
    lua_setfield(L, -2, "require");
    for (size_t i = 0; i < COUNT_OF(libraries); i++)
        freeze_library(L, libraries[i]);
    lua_pushvalue(L, -1);
    frozen_replace(L, "_G");
    lua_getmetatable(L, -1);
    lua_pushcfunction(L, l_assign);
    lua_setfield(L, -2, "__newindex");
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "_G");
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_undeclared);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -3);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1); /* `string` itself is in it */
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}

void sandbox_define(lua_State *L, const char *name) {
    lua_pushglobaltable(L);
    frozen_resolve(L, -1);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void sandbox_open(lua_State *L) {
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};

    for (size_t i = 0; i < COUNT_OF(libraries); i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    lua_base_open(L);
    lua_string_open(L);
    lua_table_open(L);
    lua_pop(L, 3);
    lua_blob_open(L);
    lua_pop(L, 1);
    seal_globals(L);
}
