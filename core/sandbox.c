#include "sandbox.h"

#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"
#include "gen.h"
#include "log.h"
#include "tree.h"

#define LOADED "paraph.loaded"

int luaopen_cjson(lua_State *L); /* lua-cjson has no header */

static const luaL_Reg modules[] = {
    {"cjson", luaopen_cjson},
    {"paraph.address", lua_address_open},
    {"paraph.blob", lua_blob_open},
    {"paraph.config", lua_config_open},
    {"paraph.crypto", lua_crypto_open},
    {"paraph.environ", lua_environ_open},
    {"paraph.fetch", lua_fetch_open},
    {"paraph.json", lua_json_open},
    {"paraph.log", lua_log_open},
    {"paraph.mail", lua_mail_open},
    {"paraph.policy", lua_policy_open},
    {"paraph.scripts", lua_scripts_open},
    {"paraph.store", lua_store_open},
    {"paraph.task", lua_task_open},
    {"paraph.templates", lua_templates_open},
    {"paraph.text", lua_text_open},
    {"paraph.time", lua_time_open},
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

static int l_require(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    if (lua_getfield(L, 2, name) == LUA_TBOOLEAN)
        return luaL_error(L, "module '%s' requires itself, directly or through others", name);
    if (!lua_isnil(L, -1))
        return 1;
    lua_pop(L, 1);
    for (size_t i = 0; i < COUNT_OF(modules); i++)
        if (strcmp(modules[i].name, name) == 0) {
            lua_pushcfunction(L, modules[i].func);
            break;
        }
    if (lua_gettop(L) == 2)
        push_script(L, name);
    lua_pushboolean(L, true); /* under way */
    lua_setfield(L, 2, name);
    lua_pushvalue(L, 1);
    if (lua_pcallk(L, 1, 1, 0, 0, NULL) != LUA_OK) {
        lua_pushnil(L);
        lua_setfield(L, 2, name);
        return lua_error(L);
    }
    if (lua_isnil(L, -1) || lua_isboolean(L, -1))
        return luaL_error(L, "module '%s' returns nothing to require", name);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
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

/* A finalizer would run at a moment of the collector's choosing, outside any budget; rawset() is
 * not there for the same reason. */
static int l_setmetatable(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    lua_settop(L, 2);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (lua_istable(L, 2)) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "__gc is not available in policies: use <close>");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_print(lua_State *L) {
    luaL_Buffer b;
    int n = lua_gettop(L);

    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_pushresult(&b);
    LOG(LOG_INFO, NULL, "print", LOG_S("text", lua_tostring(L, -1)));
    return 0;
}

static void seal_globals(lua_State *L) {
    static const char *const taken[] = {"collectgarbage", "dofile", "load",
                                        "loadfile",       "rawset", "warn"};

    lua_pushglobaltable(L);
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        lua_pushnil(L);
        lua_setfield(L, -2, taken[i]);
    }
    lua_pushcfunction(L, l_require);
    lua_setfield(L, -2, "require");
    lua_pushcfunction(L, l_setmetatable);
    lua_setfield(L, -2, "setmetatable");
    lua_pushcfunction(L, l_print);
    lua_setfield(L, -2, "print");
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, l_undeclared);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_assign);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
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
    lua_string_open(L);
    lua_pop(L, 1);
    lua_blob_open(L);
    lua_pop(L, 1);
    seal_globals(L);
}
