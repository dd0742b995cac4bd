/*
 * task_err.c - errors across the border between C and Lua, as task.h has them.
 */
#include "task.h"

#include <string.h>

#include <lauxlib.h>

#define LINE_BYTES ((size_t)400)

/* --- as values ------------------------------------------------------------------------------- */

int task_push_err_table(lua_State *L, const struct err *e) {
    lua_createtable(L, 0, 5);
    lua_pushstring(L, err_word(e->code));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, e->message);
    lua_setfield(L, -2, "message");
    lua_pushinteger(L, err_status(e->code));
    lua_setfield(L, -2, "status");
    if (e->field[0] != '\0') {
        lua_pushstring(L, e->field);
        lua_setfield(L, -2, "field");
    }
    if (e->retry_after > 0) {
        lua_pushinteger(L, e->retry_after);
        lua_setfield(L, -2, "retry_after");
    }
    return 1;
}

int task_push_err(lua_State *L, const struct err *e) {
    lua_pushnil(L);
    task_push_err_table(L, e);
    return 2;
}

static const char *raw_string(lua_State *L, int table, const char *name) {
    lua_pushstring(L, name);
    return lua_rawget(L, table) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
}

void task_read_err(lua_State *L, int idx, struct err *e) {
    int top = lua_gettop(L);
    enum err_code code = ERR_NONE;
    const char *word = NULL, *message, *field;

    idx = lua_absindex(L, idx);
    if (lua_type(L, idx) == LUA_TTABLE && (word = raw_string(L, idx, "code")) != NULL)
        code = err_from_word(word);
    if (code == ERR_NONE && word != NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "the handler returned an error whose code there is not: %s",
                word);
    } else if (code == ERR_NONE) {
        err_set(e, ERR_INTERNAL_ERROR, "the handler returned neither a reply nor an error");
    } else {
        message = raw_string(L, idx, "message");
        field = raw_string(L, idx, "field");
        err_set_field(e, code, field != NULL ? field : "", "%s", message != NULL ? message : "");
        lua_pushliteral(L, "retry_after");
        if (lua_rawget(L, idx) == LUA_TNUMBER)
            e->retry_after = (int)lua_tonumber(L, -1);
    }
    lua_settop(L, top);
}

/* --- as texts -------------------------------------------------------------------------------- */

/* Push the text of an error value: its message if it is one of our error tables. */
static const char *error_text(lua_State *L, int idx) {
    const char *message = lua_istable(L, idx) ? raw_string(L, idx, "message") : NULL;

    return message != NULL ? message : luaL_tolstring(L, idx, NULL);
}

/* Push the text behind the file and the line where it was raised, unless it begins with a place
 * itself. */
static const char *push_placed(lua_State *L, const char *text) {
    size_t place = strcspn(text, ": \n\t");
    lua_Debug ar;

    if (text[place] == ':' && text[place + 1] >= '0' && text[place + 1] <= '9')
        return lua_pushstring(L, text);
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline >= 0)
            return lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, text);
    }
    return lua_pushstring(L, text);
}

/* error(text, 0) leaves out the place on purpose, and require() has asked task_place(). */
static bool is_said_as_is(lua_State *L) {
    static const char *const functions[] = {"error", "require"};
    bool found = false;
    lua_Debug ar;

    if (!lua_getstack(L, 1, &ar))
        return false;
    lua_getinfo(L, "f", &ar);
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        lua_getglobal(L, functions[i]);
        found = found || lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

int task_place(lua_State *L) {
    if (lua_type(L, 1) != LUA_TSTRING || !is_said_as_is(L))
        push_placed(L, error_text(L, 1));
    return 1;
}

int task_trace(lua_State *L) {
    task_place(L);
    luaL_traceback(L, L, lua_tostring(L, -1), 1);
    return 1;
}

const char *task_push_line(lua_State *L, int idx) {
    const char *text = error_text(L, idx);
    size_t n = strnlen(text, LINE_BYTES);
    char line[LINE_BYTES + 1];

    for (size_t i = 0; i < n; i++)
        line[i] = (char)((unsigned char)text[i] < ' ' ? ' ' : text[i]);
    line[n] = '\0';
    return push_placed(L, line);
}
