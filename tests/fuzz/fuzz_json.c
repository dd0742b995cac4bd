/*
 * fuzz_json.c - JSON to a tree, to Lua, to text and back: nothing changes on the way; and jansson's
 * own reader agrees on what is JSON.
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bindings.h"
#include "json_text.h"
#include "lua_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

/* Where the two readers have to agree.  Jansson's loses a NUL that follows a number. */
static void compare_with_jansson(const char *text, size_t size, const json_t *tree,
                                 const struct err *e) {
    json_t *other;

    if (memchr(text, '\0', size) != NULL) {
        demand(tree == NULL);
        return;
    }
    other = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

    if (tree != NULL)
        demand(other != NULL && json_equal(tree, other));
    else if (e->code == ERR_MALFORMED_JSON && strstr(e->message, "nested deeper") == NULL)
        demand(other == NULL);
    json_decref(other);
}

static void round_trip(lua_State *L, const json_t *tree) {
    struct err e;
    json_t *back;

    lua_settop(L, 0);
    lua_json_push(L, tree);
    back = lua_json_read(L, 1, &e);
    demand(back != NULL && json_equal(tree, back));
    json_decref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static lua_State *L;
    struct err e = {.code = ERR_NONE};
    json_t *tree = json_text_parse((const char *)data, size, LUA_JSON_DEPTH, &e);

    if (L == NULL) {
        demand((L = luaL_newstate()) != NULL);
        luaL_requiref(L, "paraph.blob", lua_blob_open, 0);
    }
    compare_with_jansson((const char *)data, size, tree, &e);
    if (tree != NULL) {
        round_trip(L, tree);
    } else {
        demand(e.code != ERR_NONE && e.message[0] != '\0');
        lua_settop(L, 0);
        lua_pushstring(L, e.message); /* what refuses a text can itself be told in JSON */
        tree = lua_json_read(L, 1, &e);
        demand(tree != NULL);
    }
    json_decref(tree);
    return 0;
}
