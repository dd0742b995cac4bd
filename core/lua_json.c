/*
 * lua_json.c - paraph.json: decode goes from text to a tree to Lua values; Lua values become text
 * (lua_json_write.c), or a tree, as they are walked (lua_json_walk.h).
 */
#include "lua_json.h"

#include <lauxlib.h>
#include <string.h>

#include "bindings.h"
#include "frozen.h"
#include "json_text.h"
#include "lua_blob.h"
#include "lua_json_walk.h"
#include "task.h"

#define HOLD_TYPE  "paraph.json.hold"
#define INDENT_MAX 8

/* What a call holds outside Lua's memory: a userdata on its stack, so that raising frees it. */
struct hold {
    struct buf text;
    json_t *tree;
    struct blob *blob;
};

static void hold_release(struct hold *h) {
    buf_free(&h->text);
    json_decref(h->tree);
    blob_unref(h->blob);
    h->tree = NULL;
    h->blob = NULL;
}

static int l_hold_gc(lua_State *L) {
    hold_release(lua_touserdata(L, 1));
    return 0;
}

/* Metatables are registered when they are complete, since any step may run out of memory. */
static struct hold *hold_push(lua_State *L) {
    struct hold *h = lua_newuserdatauv(L, sizeof(*h), 0);

    *h = (struct hold){.tree = NULL};
    buf_init(&h->text, LUA_JSON_TEXT_MAX);
    if (luaL_getmetatable(L, HOLD_TYPE) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, l_hold_gc);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, HOLD_TYPE);
    }
    lua_setmetatable(L, -2);
    return h;
}

static int l_array_mt_newindex(lua_State *L) {
    return luaL_error(L, "json.array_mt cannot be changed");
}

static int l_empty_array_newindex(lua_State *L) {
    return luaL_error(L, "json.empty_array cannot be changed: setmetatable({}, json.array_mt) can");
}

/* Push array_mt.  Sealed, because a __gc in it would be a finalizer of every array. */
static void push_array_mt(lua_State *L) {
    if (luaL_getmetatable(L, LUA_JSON_ARRAY_TYPE) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, l_array_mt_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_JSON_ARRAY_TYPE);
}

/* Push empty_array, with array_mt at the top: sealed too, but with array_mt for its metatable. */
static void push_empty_array(lua_State *L) {
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, l_empty_array_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_JSON_EMPTY_TYPE);
    lua_setmetatable(L, -2);
}

/* --- from a tree to Lua ---------------------------------------------------------------------- */

static void release_string(void *j) {
    json_decref(j);
}

/* The bytes stay where they are, in the tree's string, which the blob keeps. */
static void push_blob(lua_State *L, json_t *string, struct hold *h) {
    h->blob = blob_wrap(json_string_value(string), json_string_length(string), release_string,
                        json_incref(string));
    if (h->blob == NULL) {
        json_decref(string);
        luaL_error(L, "not enough memory");
    }
    lua_blob_push(L, h->blob);
    blob_unref(h->blob);
    h->blob = NULL;
}

/* What is left of a path like "attachments.*.content" behind the member `name`: "" if that is
 * the place it names, NULL if the member is not on it.  Elements have the name "*". */
static const char *path_step(const char *path, const char *name, size_t len) {
    size_t n;

    if (path == NULL || *path == '\0')
        return NULL;
    n = strcspn(path, ".");
    if ((n != 1 || *path != '*') && (n != len || memcmp(path, name, n) != 0))
        return NULL;
    return path[n] == '.' ? path + n + 1 : path + n;
}

/* Strings where `blobs` leads become blobs; h is needed only then. */
static void push_value(lua_State *L, json_t *j, const char *blobs, struct hold *h) {
    const char *name;
    size_t len, i;
    json_t *value;

    luaL_checkstack(L, 8, "JSON nested too deeply");
    switch (json_typeof(j)) {
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)json_object_size(j));
        json_object_keylen_foreach(j, name, len, value) {
            lua_pushlstring(L, name, len);
            push_value(L, value, path_step(blobs, name, len), h);
            lua_rawset(L, -3);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(L, (int)json_array_size(j), 0);
        push_array_mt(L);
        lua_setmetatable(L, -2);
        json_array_foreach(j, i, value) {
            push_value(L, value, path_step(blobs, "*", 1), h);
            lua_rawseti(L, -2, (lua_Integer)i + 1);
        }
        break;
    case JSON_STRING:
        if (blobs != NULL && *blobs == '\0')
            push_blob(L, j, h);
        else
            lua_pushlstring(L, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(j));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(j));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(j));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        break;
    }
}

void lua_json_push(lua_State *L, const json_t *j) {
    push_value(L, (json_t *)j, NULL, NULL);
}

/* --- from Lua to a tree ---------------------------------------------------------------------- */

struct builder {
    json_t **root;                /* owned by a hold; what is below is attached as it is made */
    json_t *open[LUA_JSON_DEPTH]; /* borrowed, from the root to where the next value goes */
    unsigned depth;
    const struct json_text_path *place; /* of the next value; of no use at the root */
    size_t bytes;                       /* of all strings */
    bool failed;                        /* no memory */
};

static int tree_check(void *to, struct err *e) {
    struct builder *b = to;

    if (b->failed)
        return err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the JSON document");
    if (b->bytes > LUA_JSON_TEXT_MAX)
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the strings are larger than %zu bytes",
                       (size_t)LUA_JSON_TEXT_MAX);
    return 0;
}

/* Takes the value over, also where it cannot be attached. */
static void attach(struct builder *b, json_t *value) {
    json_t *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;
    int status = value != NULL ? 0 : -1;

    if (b->depth == 0)
        *b->root = value;
    else if (b->place->name != NULL)
        status = json_object_setn_new_nocheck(parent, b->place->name, b->place->len, value);
    else
        status = json_array_append_new(parent, value);
    b->failed |= status != 0;
}

/* Without memory for it there is nothing at its place, and nothing gets into that. */
static void tree_open(void *to, bool array) {
    struct builder *b = to;
    json_t *value = array ? json_array() : json_object();

    attach(b, value);
    b->open[b->depth++] = b->failed ? NULL : value;
}

static void tree_next(void *to, const struct json_text_path *path, bool first) {
    struct builder *b = to;

    (void)first;
    b->place = path;
    b->bytes += path->len;
}

static void tree_close(void *to, bool array, bool empty) {
    (void)array;
    (void)empty;
    ((struct builder *)to)->depth--;
}

static void tree_string(void *to, const char *s, size_t n) {
    ((struct builder *)to)->bytes += n;
    attach(to, json_stringn_nocheck(s, n));
}

static void tree_integer(void *to, int64_t v) {
    attach(to, json_integer(v));
}

static void tree_real(void *to, double v) {
    attach(to, json_real(v));
}

static void tree_word(void *to, enum lua_json_word word) {
    attach(to, word == LUA_JSON_NULL ? json_null() : json_boolean(word == LUA_JSON_TRUE));
}

static const struct lua_json_sink tree_sink = {
    .check = tree_check,
    .open = tree_open,
    .next = tree_next,
    .close = tree_close,
    .string = tree_string,
    .integer = tree_integer,
    .real = tree_real,
    .word = tree_word,
};

json_t *lua_json_read(lua_State *L, int idx, struct err *e) {
    struct hold *h;
    struct builder b = {.depth = 0};
    json_t *tree = NULL;

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 8, NULL);
    h = hold_push(L);
    b.root = &h->tree;
    if (lua_json_walk(L, idx, LUA_JSON_DEPTH, &tree_sink, &b, e) > 0) {
        tree = h->tree;
        h->tree = NULL;
    }
    hold_release(h);
    lua_pop(L, 1);
    return tree;
}

/* --- the module ------------------------------------------------------------------------------ */

/* Raise unless argument 2 is absent or a table with no other keys than these two. */
static void check_options(lua_State *L, const char *first, const char *second) {
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        return;
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

        if (key == NULL || (strcmp(key, first) != 0 && strcmp(key, second) != 0))
            luaL_error(L, "unknown option %s", luaL_tolstring(L, -2, NULL));
    }
}

/* Push an option of argument 2, or nil; its type. */
static int push_option(lua_State *L, const char *name) {
    if (!lua_isnil(L, 2))
        return lua_getfield(L, 2, name);
    lua_pushnil(L);
    return LUA_TNIL;
}

/* An integer option, or its default; raises unless it is within low to high. */
static int option_integer(lua_State *L, const char *name, int standard, int low, int high) {
    lua_Integer n = standard;
    int exact = 1;

    if (push_option(L, name) != LUA_TNIL)
        n = lua_tointegerx(L, -1, &exact);
    if (!exact || n < low || n > high)
        luaL_error(L, "option %s must be an integer from %d to %d", name, low, high);
    lua_pop(L, 1);
    return (int)n;
}

static int l_decode(lua_State *L) {
    size_t len;
    const char *text = lua_blob_bytes(L, 1, &len), *blobs = NULL;
    unsigned max_depth;
    struct hold *h;
    struct err e;

    check_options(L, "max_depth", "blobs");
    max_depth = (unsigned)option_integer(L, "max_depth", LUA_JSON_DEPTH, 1, JSON_TEXT_DEPTH_MAX);
    if (push_option(L, "blobs") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TSTRING || *lua_tostring(L, -1) == '\0')
            luaL_error(L, "option blobs must be a path like \"attachments.*.content\"");
        blobs = lua_tostring(L, -1);
    }
    h = hold_push(L);
    task_bulk(true);
    if ((h->tree = json_text_parse(text, len, max_depth, &e)) == NULL) {
        task_bulk(false);
        return task_push_err(L, &e);
    }
    push_value(L, h->tree, blobs, h);
    hold_release(h);
    task_bulk(false);
    return 1;
}

/* The text of argument 1, in *to, with `indent` spaces for each level; how many values it has. */
static long write_text(lua_State *L, struct hold *to, unsigned max_depth, int indent) {
    struct err e;
    long values;

    task_bulk(true);
    values = lua_json_write(L, 1, max_depth, indent, &to->text, &e);
    task_bulk(false);
    if (values > 0)
        return values;
    hold_release(to);
    return luaL_error(L, "%s", e.message);
}

static int l_encode(lua_State *L) {
    unsigned max_depth;
    struct hold *h;
    int indent;

    luaL_checkany(L, 1);
    check_options(L, "max_depth", "indent");
    max_depth = (unsigned)option_integer(L, "max_depth", LUA_JSON_DEPTH, 1, JSON_TEXT_DEPTH_MAX);
    indent = option_integer(L, "indent", 0, 0, INDENT_MAX);
    h = hold_push(L);
    write_text(L, h, max_depth, indent);
    lua_pushlstring(L, h->text.data, h->text.len);
    hold_release(h);
    return 1;
}

static int l_measure(lua_State *L) {
    struct hold *h;
    long values;

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    h = hold_push(L);
    values = write_text(L, h, JSON_TEXT_DEPTH_MAX, 0);
    lua_pushinteger(L, (lua_Integer)h->text.len);
    lua_pushinteger(L, values);
    hold_release(h);
    return 2;
}

static int count_members(lua_State *L, int table) {
    int n = 0;

    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        n++;
    return n;
}

/* In place of the table at the top, a copy. */
static void copy_table(lua_State *L, unsigned depth) {
    int table = lua_gettop(L), elements;

    if (depth == JSON_TEXT_DEPTH_MAX)
        luaL_error(L, "it is nested deeper than %d levels, or contains itself",
                   JSON_TEXT_DEPTH_MAX);
    luaL_checkstack(L, 8, NULL);
    task_check_time(L);
    frozen_resolve(L, table);
    elements = (int)lua_rawlen(L, table);
    lua_createtable(L, elements, elements > 0 ? 0 : count_members(L, table));
    if (lua_json_is_marked_array(L, table)) {
        push_array_mt(L);
        lua_setmetatable(L, -2);
    }
    for (lua_pushnil(L); lua_next(L, table) != 0;) {
        if (lua_istable(L, -1))
            copy_table(L, depth + 1);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, table + 1);
    }
    lua_replace(L, table);
}

static int l_copy(lua_State *L) {
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (lua_istable(L, 1))
        copy_table(L, 0);
    return 1;
}

int lua_json_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"copy", l_copy},
                                         {"decode", l_decode},
                                         {"encode", l_encode},
                                         {"measure", l_measure},
                                         {NULL, NULL}};

    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    push_array_mt(L);
    push_empty_array(L);
    lua_setfield(L, -3, "empty_array");
    lua_setfield(L, -2, "array_mt");
    return 1;
}
