/*
 * lua_text.c - paraph.text: bodies from one form to another.
 */
#include <lauxlib.h>
#include <string.h>
#include <strings.h>

#include "bindings.h"
#include "encode.h"
#include "frozen.h"
#include "html.h"
#include "task.h"
#include "text.h"

#define SCRATCH_TYPE "paraph.text.scratch"
#define RESULT_MAX   (32 * MIB)

static int l_scratch_gc(lua_State *L) {
    buf_free(lua_touserdata(L, 1));
    return 0;
}

/* The text to convert, and a buffer for the result, which hangs on a userdata so that an error
 * raised on the way leaks nothing. */
static const char *begin(lua_State *L, size_t *n, struct buf **out) {
    const char *s = luaL_checklstring(L, 1, n);

    luaL_argcheck(L, encode_utf8_error(s, *n) == *n, 1, "not valid UTF-8");
    *out = lua_newuserdatauv(L, sizeof(**out), 0);
    buf_init(*out, RESULT_MAX);
    luaL_setmetatable(L, SCRATCH_TYPE);
    return s;
}

static int finish(lua_State *L, struct buf *out) {
    struct err e;

    if (buf_failed(out)) {
        err_set(&e, ERR_PAYLOAD_TOO_LARGE, "the text becomes longer than %zu bytes", RESULT_MAX);
        return task_push_err(L, &e);
    }
    lua_pushlstring(L, out->data, out->len);
    buf_free(out);
    return 1;
}

static int convert(lua_State *L, void (*to)(struct buf *, const char *, size_t)) {
    struct buf *out;
    size_t n;
    const char *s = begin(L, &n, &out);

    task_bulk(true);
    to(out, s, n);
    task_bulk(false);
    return finish(L, out);
}

static int try_convert(lua_State *L, int (*to)(struct buf *, const char *, size_t, struct err *)) {
    struct buf *out;
    struct err e;
    size_t n;
    const char *s = begin(L, &n, &out);
    int status;

    task_bulk(true);
    status = to(out, s, n, &e);
    task_bulk(false);
    return status != 0 ? task_push_err(L, &e) : finish(L, out);
}

/* escape(s) -> string */
static int l_escape(lua_State *L) {
    return convert(L, text_escape_html);
}

/* to_html(s) -> string */
static int l_to_html(lua_State *L) {
    return convert(L, text_to_html);
}

/* markdown_to_html(s) -> string */
static int l_markdown_to_html(lua_State *L) {
    return try_convert(L, text_markdown_to_html);
}

/* from_html(html) -> string */
static int l_from_html(lua_State *L) {
    return try_convert(L, text_from_html);
}

/* is_line(s) -> boolean */
static int l_is_line(lua_State *L) {
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);

    lua_pushboolean(L, encode_control_at(s, n) == n);
    return 1;
}

/* --- tags ------------------------------------------------------------------------------------ */

static void push_lower(lua_State *L, const char *s, size_t n) {
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, n);

    for (size_t i = 0; i < n; i++)
        out[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] | 0x20) : s[i];
    luaL_pushresultsize(&b, n);
}

/* The first and the last of some bytes of the HTML, for the table on the top. */
static void set_place(lua_State *L, const char *html, const char *from, const char *to) {
    lua_pushinteger(L, from - html + 1);
    lua_setfield(L, -2, "first");
    lua_pushinteger(L, to - html);
    lua_setfield(L, -2, "last");
}

/* Is the name on the top wanted, and not yet in the table of attributes below? */
static bool is_new(lua_State *L) {
    bool is_new;

    lua_pushvalue(L, -1);
    lua_rawget(L, lua_upvalueindex(2));
    lua_pushvalue(L, -2);
    lua_rawget(L, -4);
    is_new = lua_toboolean(L, -2) && lua_isnil(L, -1);
    lua_pop(L, 2);
    return is_new;
}

/* Those that are wanted, by their places and by their names. */
static void push_attributes(lua_State *L, struct html *h, const char *html, struct buf *value) {
    struct html_pair pair;
    lua_Integer count = 0;

    lua_newtable(L);
    while (html_next_attribute(h, &pair)) {
        push_lower(L, pair.name, pair.name_len);
        if (!is_new(L)) {
            lua_pop(L, 1);
            continue;
        }
        lua_createtable(L, 0, 4);
        lua_pushvalue(L, -2);
        lua_setfield(L, -2, "name");
        buf_reset(value);
        html_decode(value, pair.value, pair.value_len);
        if (buf_failed(value))
            luaL_error(L, "not enough memory");
        lua_pushlstring(L, value->data, value->len);
        lua_setfield(L, -2, "value");
        set_place(L, html, pair.name, h->attributes);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -4, ++count);
        lua_rawset(L, -3);
    }
}

static void push_tag(lua_State *L, struct html *h, bool closes, const char *html) {
    const char *name = h->s - (closes ? 1 : 0); /* "/a" */

    lua_createtable(L, 0, 4);
    push_lower(L, name, (size_t)(h->s + h->n - name));
    lua_setfield(L, -2, "name");
    set_place(L, html, name - 1, h->inside);
    push_attributes(L, h, html, lua_touserdata(L, lua_upvalueindex(4)));
    lua_setfield(L, -2, "attributes");
}

static bool is_wanted(const struct html *h, const char *name) {
    return name == NULL || (strlen(name) == h->n && strncasecmp(h->s, name, h->n) == 0);
}

/* Upvalues: the HTML, the names of attributes, the name of tags or nil, a buffer, how far it was
 * read. */
static int next_tag(lua_State *L) {
    size_t n, at = (size_t)lua_tointeger(L, lua_upvalueindex(5));
    const char *html = lua_tolstring(L, lua_upvalueindex(1), &n);
    const char *name = lua_tostring(L, lua_upvalueindex(3));
    enum html_kind kind;
    struct html h;

    html_init(&h, html + at, n - at);
    do
        kind = html_next(&h);
    while (kind == HTML_TEXT || (kind != HTML_END && !is_wanted(&h, name)));
    lua_pushinteger(L, h.at - html);
    lua_replace(L, lua_upvalueindex(5));
    if (kind == HTML_END)
        return 0;
    push_tag(L, &h, kind == HTML_CLOSE, html);
    return 1;
}

/* tags(html, attributes[, name]) -> iterator */
static int l_tags(lua_State *L) {
    struct buf *value;
    size_t n;

    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_optstring(L, 3, NULL);
    lua_settop(L, 3);
    frozen_resolve(L, 2);
    begin(L, &n, &value);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_tag, 5);
    return 1;
}

int lua_text_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"escape", l_escape},
        {"to_html", l_to_html},
        {"markdown_to_html", l_markdown_to_html},
        {"from_html", l_from_html},
        {"is_line", l_is_line},
        {"tags", l_tags},
        {NULL, NULL},
    };

    luaL_newmetatable(L, SCRATCH_TYPE);
    lua_pushcfunction(L, l_scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
