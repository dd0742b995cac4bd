/*
 * lua_json_walk.h - a Lua value as JSON, told piece by piece to whoever writes it down.
 *
 * Which values are JSON is judged here alone; a sink has only to write.  Members come in the order
 * of their names.
 */
#ifndef LUA_JSON_WALK_H
#define LUA_JSON_WALK_H

#include <lua.h>

#include "err.h"
#include "json_text.h"

#define LUA_JSON_ARRAY_TYPE "paraph.json.array" /* registry: metatable of arrays */
#define LUA_JSON_EMPTY_TYPE "paraph.json.empty_array"

enum lua_json_word { LUA_JSON_NULL, LUA_JSON_FALSE, LUA_JSON_TRUE };

/* `to` is what was given to lua_json_walk().  What goes wrong is kept there until check(). */
struct lua_json_sink {
    int (*check)(void *to, struct err *e); /* before each value and at the end; -1 stops */
    void (*open)(void *to, bool array);
    /* Before each member (with its name, valid UTF-8 without NUL) and element of what is open. */
    void (*next)(void *to, const struct json_text_path *path, bool first);
    void (*close)(void *to, bool array, bool empty);
    void (*string)(void *to, const char *s, size_t n); /* valid UTF-8 */
    void (*integer)(void *to, int64_t v);
    void (*real)(void *to, double v); /* finite */
    void (*word)(void *to, enum lua_json_word word);
};

/* The value at idx; the stack is as before.  How many values it is, with those in it; -1 and *e:
 * ERR_INVALID_FIELD with the path of the member at fault, ERR_PAYLOAD_TOO_LARGE (too many values),
 * or what check() says.  Raises when out of Lua memory, when the task's time is up and on a weak
 * table, so what `to` holds must have an owner that survives that. */
long lua_json_walk(lua_State *L, int idx, unsigned max_depth, const struct lua_json_sink *sink,
                   void *to, struct err *e);

/* Has the table at idx the metatable of arrays? */
bool lua_json_is_marked_array(lua_State *L, int idx);

#endif
