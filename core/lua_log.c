/*
 * lua_log.c - paraph.log: events of scripts, with the id of the request they serve.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "gen.h"
#include "log.h"
#include "task.h"

#define FIELDS_MAX 16

static int write_event(lua_State *L, enum log_level level) {
    const char *message = luaL_checkstring(L, 1);
    const struct task_owner *owner;
    struct log_field fields[FIELDS_MAX + 1];
    size_t n = 0;

    if (!log_on(level) || gen_scratch(L) != NULL) /* what a test rehearses is no event */
        return 0;
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        luaL_checkstack(L, 2 * FIELDS_MAX + 4, NULL);
        lua_newtable(L); /* keeps the texts made by luaL_tolstring() */
        for (lua_pushnil(L); n < FIELDS_MAX && lua_next(L, 2) != 0; lua_pop(L, 1)) {
            luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 2, "names of fields are strings");
            if (lua_isboolean(L, -1)) {
                fields[n] = LOG_B(lua_tostring(L, -2), lua_toboolean(L, -1));
            } else if (lua_isinteger(L, -1)) {
                fields[n] = LOG_I(lua_tostring(L, -2), lua_tointeger(L, -1));
            } else if (lua_type(L, -1) == LUA_TNUMBER) {
                fields[n] = LOG_N(lua_tostring(L, -2), lua_tonumber(L, -1));
            } else {
                fields[n] = LOG_S(lua_tostring(L, -2), luaL_tolstring(L, -1, NULL));
                lua_rawseti(L, 3, (lua_Integer)n + 1);
            }
            n++;
        }
    }
    fields[n] = LOG_END;
    owner = task_running() != NULL ? task_owner(task_running()) : NULL;
    log_event(level, owner != NULL ? owner->request_id : NULL, message, fields);
    return 0;
}

static int l_debug(lua_State *L) {
    return write_event(L, LOG_DEBUG);
}

static int l_info(lua_State *L) {
    return write_event(L, LOG_INFO);
}

static int l_warning(lua_State *L) {
    return write_event(L, LOG_WARNING);
}

static int l_error(lua_State *L) {
    return write_event(L, LOG_ERROR);
}

int lua_log_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"debug", l_debug},
                                         {"info", l_info},
                                         {"warning", l_warning},
                                         {"error", l_error},
                                         {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
