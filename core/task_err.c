/*
 * task_err.c - errors across the border between C and Lua, as task.h has them.
 */
#include "task.h"

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
    const char *word, *message, *field;

    idx = lua_absindex(L, idx);
    if (lua_type(L, idx) == LUA_TTABLE && (word = raw_string(L, idx, "code")) != NULL)
        code = err_from_word(word);
    if (code == ERR_NONE) {
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
