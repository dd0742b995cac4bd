/*
 * lua_json_write.c - Lua values as JSON text.
 */
#include "json_text.h"
#include "lua_json.h"
#include "lua_json_walk.h"

struct writer {
    struct buf *out;
    int indent; /* 0: compact */
    unsigned depth;
};

static void add_line(struct writer *w) {
    if (w->indent == 0)
        return;
    buf_addc(w->out, '\n');
    for (unsigned n = w->depth * (unsigned)w->indent; n > 0; n--)
        buf_addc(w->out, ' ');
}

static int text_check(void *to, struct err *e) {
    struct writer *w = to;

    return buf_failed(w->out) ? err_set(e, ERR_PAYLOAD_TOO_LARGE,
                                        "the JSON text would be larger than %zu bytes", w->out->max)
                              : 0;
}

static void text_open(void *to, bool array) {
    struct writer *w = to;

    buf_addc(w->out, array ? '[' : '{');
    w->depth++;
}

static void text_next(void *to, const struct json_text_path *path, bool first) {
    struct writer *w = to;

    if (!first)
        buf_addc(w->out, ',');
    add_line(w);
    if (path->name == NULL)
        return;
    json_text_add_string(w->out, path->name, path->len);
    buf_adds(w->out, w->indent > 0 ? ": " : ":");
}

static void text_close(void *to, bool array, bool empty) {
    struct writer *w = to;

    w->depth--;
    if (!empty)
        add_line(w);
    buf_addc(w->out, array ? ']' : '}');
}

static void text_string(void *to, const char *s, size_t n) {
    json_text_add_string(((struct writer *)to)->out, s, n);
}

static void text_integer(void *to, int64_t v) {
    json_text_add_integer(((struct writer *)to)->out, v);
}

static void text_real(void *to, double v) {
    json_text_add_real(((struct writer *)to)->out, v);
}

static void text_word(void *to, enum lua_json_word word) {
    static const char *const words[] = {
        [LUA_JSON_NULL] = "null", [LUA_JSON_FALSE] = "false", [LUA_JSON_TRUE] = "true"};

    buf_adds(((struct writer *)to)->out, words[word]);
}

static const struct lua_json_sink text_sink = {
    .check = text_check,
    .open = text_open,
    .next = text_next,
    .close = text_close,
    .string = text_string,
    .integer = text_integer,
    .real = text_real,
    .word = text_word,
};

long lua_json_write(lua_State *L, int idx, unsigned max_depth, int indent, struct buf *out,
                    struct err *e) {
    struct writer w = {.out = out, .indent = indent};

    return lua_json_walk(L, idx, max_depth, &text_sink, &w, e);
}

int lua_json_encode(lua_State *L, int idx, struct buf *out, struct err *e) {
    return lua_json_write(L, idx, LUA_JSON_DEPTH, 0, out, e) < 0 ? -1 : 0;
}
