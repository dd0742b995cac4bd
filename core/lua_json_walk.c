/*
 * lua_json_walk.c - which Lua values are JSON.
 */
#include "lua_json_walk.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "frozen.h"
#include "lua_blob.h"
#include "task.h"

#define NAMES_FEW 24

struct walk {
    lua_State *L;
    const struct lua_json_sink *sink;
    void *to;
    unsigned depth, max_depth;
    size_t values;
    struct err *e;
};

struct name {
    const char *s; /* anchored as a key of its table */
    size_t len;
};

static int walk_value(struct walk *w, const struct json_text_path *path);

static int compare_names(const void *va, const void *vb) {
    const struct name *a = va, *b = vb;
    size_t n = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->s, b->s, n);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int check_utf8(struct walk *w, const struct json_text_path *path, const char *s, size_t n) {
    size_t bad = encode_utf8_error(s, n);

    if (bad < n)
        return json_text_err(w->e, path, "a string is not UTF-8 from its byte %zu on", bad + 1);
    return 0;
}

static int walk_string(struct walk *w, const struct json_text_path *path, const char *s, size_t n) {
    if (check_utf8(w, path, s, n) != 0)
        return -1;
    w->sink->string(w->to, s, n);
    return 0;
}

static int walk_number(struct walk *w, const struct json_text_path *path) {
    double v = lua_tonumber(w->L, -1);

    if (lua_isinteger(w->L, -1)) {
        w->sink->integer(w->to, lua_tointeger(w->L, -1));
        return 0;
    }
    if (!isfinite(v))
        return json_text_err(w->e, path, "JSON has no NaN and no infinity");
    w->sink->real(w->to, v);
    return 0;
}

/* What a table is: an array of `count` elements, or an object with so many members.  Of a small
 * object the names are here, too. */
struct shape {
    bool array;
    size_t count;
    struct name few[NAMES_FEW];
};

bool lua_json_is_marked_array(lua_State *L, int idx) {
    bool marked;

    if (!lua_getmetatable(L, idx))
        return false;
    luaL_getmetatable(L, LUA_JSON_ARRAY_TYPE);
    luaL_getmetatable(L, LUA_JSON_EMPTY_TYPE);
    marked = lua_rawequal(L, -3, -2) || lua_rawequal(L, -3, -1);
    lua_pop(L, 3);
    return marked;
}

/* Of the table at the top; -1 if it is neither an array nor an object. */
static int read_shape(lua_State *L, struct shape *is) {
    lua_Unsigned length = lua_rawlen(L, -1);

    is->array = length > 0 || lua_json_is_marked_array(L, -1);
    is->count = 0;
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        bool fits =
            is->array ? key >= 1 && (lua_Unsigned)key <= length : lua_type(L, -2) == LUA_TSTRING;

        if (!fits) {
            lua_pop(L, 2);
            return -1;
        }
        if (!is->array && is->count < NAMES_FEW)
            is->few[is->count].s = lua_tolstring(L, -2, &is->few[is->count].len);
        is->count++;
    }
    return is->array && is->count != length ? -1 : 0;
}

static int walk_array(struct walk *w, const struct json_text_path *up, size_t count) {
    struct json_text_path path = {.up = up};

    for (; path.index < count; path.index++) {
        w->sink->next(w->to, &path, path.index == 0);
        lua_rawgeti(w->L, -1, (lua_Integer)path.index + 1);
        if (walk_value(w, &path) != 0)
            return -1;
        lua_pop(w->L, 1);
    }
    return 0;
}

static void sort_few(struct name *names, size_t count) {
    for (size_t i = 1; i < count; i++) {
        struct name name = names[i];
        size_t at = i;

        for (; at > 0 && compare_names(&names[at - 1], &name) > 0; at--)
            names[at] = names[at - 1];
        names[at] = name;
    }
}

/* Push the names of the members of the table at the top, in order.  Nothing can change the table
 * meanwhile: scripts have no finalizers that the collector could run here. */
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

/* Of the table at idx. */
static int walk_members(struct walk *w, const struct json_text_path *up, int idx,
                        const struct name *names, size_t count) {
    struct json_text_path path = {.up = up};

    for (size_t i = 0; i < count; i++) {
        path.name = names[i].s;
        path.len = names[i].len;
        if (memchr(path.name, '\0', path.len) != NULL)
            return json_text_err(w->e, up, "the name of a member contains NUL");
        if (check_utf8(w, up, path.name, path.len) != 0)
            return -1;
        w->sink->next(w->to, &path, i == 0);
        lua_pushlstring(w->L, path.name, path.len);
        lua_rawget(w->L, idx);
        if (walk_value(w, &path) != 0)
            return -1;
        lua_pop(w->L, 1);
    }
    return 0;
}

static int walk_object(struct walk *w, const struct json_text_path *path, struct shape *is) {
    int idx = lua_gettop(w->L);

    if (is->count <= NAMES_FEW) {
        sort_few(is->few, is->count);
        return walk_members(w, path, idx, is->few, is->count);
    }
    if (walk_members(w, path, idx, push_names(w->L, is->count), is->count) != 0)
        return -1;
    lua_pop(w->L, 1);
    return 0;
}

static int walk_table(struct walk *w, const struct json_text_path *path) {
    struct shape is;

    if (w->depth == w->max_depth)
        return json_text_err(w->e, path, "it is nested deeper than %u levels, or contains itself",
                             w->max_depth);
    if (read_shape(w->L, &is) != 0)
        return json_text_err(w->e, path,
                             "a table must have either the keys 1 to n or only strings as keys");
    w->depth++;
    w->sink->open(w->to, is.array);
    if ((is.array ? walk_array(w, path, is.count) : walk_object(w, path, &is)) != 0)
        return -1;
    w->sink->close(w->to, is.array, is.count == 0);
    w->depth--;
    return 0;
}

/* Before the next value, and at the end. */
static int check(struct walk *w) {
    if (w->sink->check(w->to, w->e) != 0)
        return -1;
    if (w->values > JSON_TEXT_VALUES_MAX)
        return err_set(w->e, ERR_PAYLOAD_TOO_LARGE, "the JSON text would have more than %d values",
                       JSON_TEXT_VALUES_MAX);
    return 0;
}

/* The value at the top, which stays there; on failure the stack is left as it then is. */
static int walk_value(struct walk *w, const struct json_text_path *path) {
    const struct blob *blob;
    const char *s;
    size_t n;

    if (!lua_checkstack(w->L, 8))
        return json_text_err(w->e, path, "it is nested too deeply");
    task_check_time(w->L); /* a table may be empty but large, and be there many times */
    w->values++;
    if (check(w) != 0)
        return -1;
    switch (lua_type(w->L, -1)) {
    case LUA_TNIL:
        w->sink->word(w->to, LUA_JSON_NULL);
        return 0;
    case LUA_TBOOLEAN:
        w->sink->word(w->to, lua_toboolean(w->L, -1) ? LUA_JSON_TRUE : LUA_JSON_FALSE);
        return 0;
    case LUA_TNUMBER:
        return walk_number(w, path);
    case LUA_TSTRING:
        s = lua_tolstring(w->L, -1, &n);
        return walk_string(w, path, s, n);
    case LUA_TTABLE:
        frozen_read(w->L, -1);
        return walk_table(w, path);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(w->L, -1) != NULL)
            break;
        w->sink->word(w->to, LUA_JSON_NULL);
        return 0;
    case LUA_TUSERDATA:
        if ((blob = lua_blob_test(w->L, -1)) == NULL)
            break;
        return walk_string(w, path, blob->data, blob->len);
    default:
        break;
    }
    return json_text_err(w->e, path, "JSON has no %s", luaL_typename(w->L, -1));
}

long lua_json_walk(lua_State *L, int idx, unsigned max_depth, const struct lua_json_sink *sink,
                   void *to, struct err *e) {
    struct walk w = {.L = L, .sink = sink, .to = to, .max_depth = max_depth, .e = e};
    int top = lua_gettop(L), result;

    luaL_checkstack(L, 1, NULL);
    lua_pushvalue(L, idx);
    result = walk_value(&w, NULL);
    lua_settop(L, top);
    return result == 0 && check(&w) == 0 ? (long)w.values : -1;
}
