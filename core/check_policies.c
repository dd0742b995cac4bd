#include "check_policies.h"

#include <string.h>

#include <lauxlib.h>

#include "check_script.h"
#include "env.h"
#include "gen.h"
#include "tree.h"

#define SECONDS  60
#define VARIABLE "POLICY_" /* what the settings of policies begin with */

extern char **environ;

/* In the table at the top of the stack: name = { shipped, shadows, text }.  What is shipped is not
 * looked into. */
static void add_file(lua_State *L, const struct tree_file *f) {
    lua_createtable(L, 0, 3);
    lua_pushboolean(L, f->shipped);
    lua_setfield(L, -2, "shipped");
    lua_pushboolean(L, f->shadows);
    lua_setfield(L, -2, "shadows");
    if (!f->shipped) {
        lua_pushlstring(L, f->text, f->len);
        lua_setfield(L, -2, "text");
    }
    lua_setfield(L, -2, f->name);
}

static void add_files(lua_State *L, enum tree_kind kind, const char *name) {
    size_t n;
    const struct tree_file *files = tree_files(gen_tree(gen_of(L)), &n);

    lua_newtable(L);
    for (size_t i = 0; i < n; i++)
        if (files[i].kind == kind)
            add_file(L, &files[i]);
    lua_setfield(L, -2, name);
}

/* The names alone. */
static void add_variables(lua_State *L) {
    lua_Integer n = 0;

    lua_newtable(L);
    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, VARIABLE, strlen(VARIABLE)) == 0) {
            lua_pushlstring(L, *at, strcspn(*at, "="));
            lua_rawseti(L, -2, ++n);
        }
    lua_setfield(L, -2, "variables");
}

/* The table that scripts/lib/inventory.lua describes. */
static int l_arguments(lua_State *L) {
    lua_settop(L, 0);
    lua_newtable(L);
    add_files(L, TREE_SCRIPTS, "scripts");
    add_files(L, TREE_TEMPLATES, "templates");
    add_variables(L);
    lua_pushstring(L, env.scripts_dir);
    lua_setfield(L, -2, "scripts_dir");
    lua_pushstring(L, env.templates_dir);
    lua_setfield(L, -2, "templates_dir");
    return 1;
}

void check_policies(struct gen *g) {
    check_script_run(g, "policies", "lib.inventory", SECONDS, l_arguments, NULL);
}
