/*
 * lua_json.c - paraph.json: decode goes from text to a tree to Lua values, encode from Lua values
 * straight to text.
 */
#include "lua_json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bindings.h"
#include "encode.h"
#include "frozen.h"
#include "json_text.h"
#include "lua_blob.h"
#include "task.h"

#define ARRAY_TYPE "paraph.json.array"
#define EMPTY_TYPE "paraph.json.empty_array"
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
    if (luaL_getmetatable(L, ARRAY_TYPE) != LUA_TNIL)
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
    lua_setfield(L, LUA_REGISTRYINDEX, ARRAY_TYPE);
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
    lua_setfield(L, LUA_REGISTRYINDEX, EMPTY_TYPE);
    lua_setmetatable(L, -2);
}

/* From trees to Lua. */

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

/* From Lua to text. */

struct encoder {
    lua_State *L;
    struct buf *out;
    int indent; /* 0: compact */
    unsigned depth, max_depth;
    size_t values;
    struct err *e;
};

struct name {
    const char *s; /* anchored as a key of its table */
    size_t len;
};

static int encode_value(struct encoder *c, const struct json_text_path *path);

static int compare_names(const void *va, const void *vb) {
    const struct name *a = va, *b = vb;
    size_t n = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->s, b->s, n);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static void add_line(struct encoder *c) {
    if (c->indent == 0)
        return;
    buf_addc(c->out, '\n');
    for (unsigned n = c->depth * (unsigned)c->indent; n > 0; n--)
        buf_addc(c->out, ' ');
}

static int encode_string(struct encoder *c, const struct json_text_path *path, const char *s,
                         size_t n) {
    size_t bad = encode_utf8_error(s, n);

    if (bad < n)
        return json_text_err(c->e, path, "a string is not UTF-8 from its byte %zu on", bad + 1);
    json_text_add_string(c->out, s, n);
    return 0;
}

static int encode_number(struct encoder *c, const struct json_text_path *path) {
    double v = lua_tonumber(c->L, -1);

    if (lua_isinteger(c->L, -1)) {
        json_text_add_integer(c->out, lua_tointeger(c->L, -1));
        return 0;
    }
    if (!isfinite(v))
        return json_text_err(c->e, path, "JSON has no NaN and no infinity");
    json_text_add_real(c->out, v);
    return 0;
}

/* Is the table at the top an array, and how many keys does it have?  -1 if it is neither that
 * nor an object. */
static int table_shape(lua_State *L, bool *array, size_t *count) {
    lua_Unsigned length = lua_rawlen(L, -1);

    *array = length > 0;
    *count = 0;
    if (lua_getmetatable(L, -1)) {
        luaL_getmetatable(L, ARRAY_TYPE);
        luaL_getmetatable(L, EMPTY_TYPE);
        *array = *array || lua_rawequal(L, -3, -2) || lua_rawequal(L, -3, -1);
        lua_pop(L, 3);
    }
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        bool fits =
            *array ? key >= 1 && (lua_Unsigned)key <= length : lua_type(L, -2) == LUA_TSTRING;

        if (!fits) {
            lua_pop(L, 2);
            return -1;
        }
        ++*count;
    }
    return *array && *count != length ? -1 : 0;
}

static int encode_array(struct encoder *c, const struct json_text_path *up, size_t count) {
    struct json_text_path path = {.up = up};

    buf_addc(c->out, '[');
    for (; path.index < count; path.index++) {
        if (path.index > 0)
            buf_addc(c->out, ',');
        add_line(c);
        lua_rawgeti(c->L, -1, (lua_Integer)path.index + 1);
        if (encode_value(c, &path) != 0)
            return -1;
        lua_pop(c->L, 1);
    }
    c->depth--;
    if (count > 0)
        add_line(c);
    buf_addc(c->out, ']');
    return 0;
}

/* Push a sorted list of the keys of the table at the top, all strings.  Nothing can change the
 * table meanwhile: scripts have no finalizers that the collector could run here. */
static struct name *push_names(lua_State *L, size_t count) {
    struct name *names = lua_newuserdatauv(L, count * sizeof(*names), 0);
    size_t n = 0;

    for (lua_pushnil(L); lua_next(L, -3) != 0; lua_pop(L, 1)) {
        names[n].s = lua_tolstring(L, -2, &names[n].len);
        n++;
    }
    qsort(names, count, sizeof(*names), compare_names);
    return names;
}

static int encode_object(struct encoder *c, const struct json_text_path *up, size_t count) {
    struct json_text_path path = {.up = up};
    const struct name *names = push_names(c->L, count);

    buf_addc(c->out, '{');
    for (size_t i = 0; i < count; i++) {
        path.name = names[i].s;
        path.len = names[i].len;
        if (memchr(path.name, '\0', path.len) != NULL)
            return json_text_err(c->e, up, "the name of a member contains NUL");
        if (i > 0)
            buf_addc(c->out, ',');
        add_line(c);
        if (encode_string(c, up, path.name, path.len) != 0)
            return -1;
        buf_adds(c->out, c->indent > 0 ? ": " : ":");
        lua_pushlstring(c->L, path.name, path.len);
        lua_rawget(c->L, -3);
        if (encode_value(c, &path) != 0)
            return -1;
        lua_pop(c->L, 1);
    }
    lua_pop(c->L, 1);
    c->depth--;
    if (count > 0)
        add_line(c);
    buf_addc(c->out, '}');
    return 0;
}

static int encode_table(struct encoder *c, const struct json_text_path *path) {
    size_t count;
    bool array;

    if (c->depth == c->max_depth)
        return json_text_err(c->e, path, "it is nested deeper than %u levels, or contains itself",
                             c->max_depth);
    if (table_shape(c->L, &array, &count) != 0)
        return json_text_err(c->e, path,
                             "a table must have either the keys 1 to n or only strings as keys");
    c->depth++;
    return array ? encode_array(c, path, count) : encode_object(c, path, count);
}

/* Before the next value, and at the end. */
static int check_size(struct encoder *c) {
    if (buf_failed(c->out))
        return err_set(c->e, ERR_PAYLOAD_TOO_LARGE, "the JSON text would be larger than %zu bytes",
                       c->out->max);
    if (c->values > JSON_TEXT_VALUES_MAX)
        return err_set(c->e, ERR_PAYLOAD_TOO_LARGE, "the JSON text would have more than %d values",
                       JSON_TEXT_VALUES_MAX);
    return 0;
}

/* The value at the top, which stays there; on failure the stack is left as it then is. */
static int encode_value(struct encoder *c, const struct json_text_path *path) {
    const struct blob *blob;
    const char *s;
    size_t n;

    if (!lua_checkstack(c->L, 8))
        return json_text_err(c->e, path, "it is nested too deeply");
    task_check_time(c->L); /* a table may be empty but large, and be there many times */
    c->values++;
    if (check_size(c) != 0)
        return -1;
    switch (lua_type(c->L, -1)) {
    case LUA_TNIL:
        buf_adds(c->out, "null");
        return 0;
    case LUA_TBOOLEAN:
        buf_adds(c->out, lua_toboolean(c->L, -1) ? "true" : "false");
        return 0;
    case LUA_TNUMBER:
        return encode_number(c, path);
    case LUA_TSTRING:
        s = lua_tolstring(c->L, -1, &n);
        return encode_string(c, path, s, n);
    case LUA_TTABLE:
        frozen_resolve(c->L, -1);
        return encode_table(c, path);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(c->L, -1) != NULL)
            break;
        buf_adds(c->out, "null");
        return 0;
    case LUA_TUSERDATA:
        if ((blob = lua_blob_test(c->L, -1)) == NULL)
            break;
        return encode_string(c, path, blob->data, blob->len);
    default:
        break;
    }
    return json_text_err(c->e, path, "JSON has no %s", luaL_typename(c->L, -1));
}

static int encode(struct encoder *c, int idx) {
    int top = lua_gettop(c->L), result;

    luaL_checkstack(c->L, 1, NULL);
    lua_pushvalue(c->L, idx);
    result = encode_value(c, NULL);
    lua_settop(c->L, top);
    return result == 0 ? check_size(c) : -1;
}

int lua_json_encode(lua_State *L, int idx, struct buf *out, struct err *e) {
    struct encoder c = {.L = L, .out = out, .max_depth = LUA_JSON_DEPTH, .e = e};

    return encode(&c, idx);
}

json_t *lua_json_read(lua_State *L, int idx, struct err *e) {
    struct hold *h;
    json_t *tree = NULL;

    idx = lua_absindex(L, idx);
    luaL_checkstack(L, 8, NULL);
    h = hold_push(L);
    if (lua_json_encode(L, idx, &h->text, e) == 0)
        tree = json_text_parse(h->text.data, h->text.len, LUA_JSON_DEPTH, e);
    hold_release(h);
    lua_pop(L, 1);
    return tree;
}

/* The module. */

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

static int l_encode(lua_State *L) {
    struct err e;
    struct encoder c = {.L = L, .e = &e};
    struct hold *h;
    int status;

    luaL_checkany(L, 1);
    check_options(L, "max_depth", "indent");
    c.max_depth = (unsigned)option_integer(L, "max_depth", LUA_JSON_DEPTH, 1, JSON_TEXT_DEPTH_MAX);
    c.indent = option_integer(L, "indent", 0, 0, INDENT_MAX);
    h = hold_push(L);
    c.out = &h->text;
    task_bulk(true);
    status = encode(&c, 1);
    if (status == 0)
        lua_pushlstring(L, h->text.data, h->text.len);
    task_bulk(false);
    hold_release(h);
    if (status != 0)
        return luaL_error(L, "%s", e.message);
    return 1;
}

int lua_json_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"decode", l_decode}, {"encode", l_encode}, {NULL, NULL}};

    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    push_array_mt(L);
    push_empty_array(L);
    lua_setfield(L, -3, "empty_array");
    lua_setfield(L, -2, "array_mt");
    return 1;
}
