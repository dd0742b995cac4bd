/*
 * lua_text.c - paraph.text: bodies from one form to another.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "encode.h"
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

int lua_text_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"escape", l_escape},
        {"to_html", l_to_html},
        {"markdown_to_html", l_markdown_to_html},
        {"from_html", l_from_html},
        {"is_line", l_is_line},
        {NULL, NULL},
    };

    luaL_newmetatable(L, SCRATCH_TYPE);
    lua_pushcfunction(L, l_scratch_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
