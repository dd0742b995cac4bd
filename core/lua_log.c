/*
 * lua_log.c - paraph.log: events of scripts, with the id of the request they serve.
 */
#include "lua_log.h"

#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "frozen.h"
#include "gen.h"
#include "task.h"
#include "trace.h"

#define CLOUD          "logging.googleapis.com/"
#define FIELDS_MAX     16
#define FIELD_NAME_MAX 64
#define TEXT_MAX       ((size_t)8 * KIB)

const char *lua_log_text(lua_State *L, int idx) {
    size_t n;
    const char *s = lua_tolstring(L, idx, &n);

    if (n <= TEXT_MAX)
        return s;
    for (n = TEXT_MAX; n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80;)
        n--; /* not in the middle of a character */
    idx = lua_absindex(L, idx);
    lua_pushlstring(L, s, n);
    lua_pushliteral(L, "...");
    lua_concat(L, 2);
    lua_replace(L, idx);
    return lua_tostring(L, idx);
}

void lua_log_event(enum log_level level, const char *message, const struct log_field *fields) {
    switch (task_count_event()) {
    case TASK_EVENT_FINE:
        log_event(level, NULL, message, fields);
        break;
    case TASK_EVENT_LAST:
        LOG(LOG_WARNING, NULL, "the script logs too much: what it logs from here on is left out");
        break;
    case TASK_EVENT_NONE:
        break;
    }
}

/* The name of a field, below its value at the top. */
static void check_name(lua_State *L) {
    static const char *const own[] = {"httpRequest", "mail_trace_id", "message", "request_id",
                                      "severity",    "time",          "trace_id"};
    const char *name;

    luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_rawlen(L, -2) <= FIELD_NAME_MAX, 2,
                  "names of fields are short strings");
    name = lua_tostring(L, -2);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (strcmp(name, own[i]) == 0 || strncmp(name, CLOUD, strlen(CLOUD)) == 0)
            luaL_error(L, "field '%s' is set by the log itself", name);
}

static void check_arguments(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        return;
    luaL_checktype(L, 2, LUA_TTABLE);
    frozen_resolve(L, 2);
}

/* Of what is not written, so that what is wrong shows in a test. */
static void check_names(lua_State *L) {
    lua_pushnil(L);
    for (size_t n = 0; n < FIELDS_MAX && lua_next(L, 2) != 0; n++) {
        check_name(L);
        lua_pop(L, 1);
    }
}

static int write_event(lua_State *L, enum log_level level) {
    const char *message;
    struct log_field fields[FIELDS_MAX + 1];
    size_t n = 0;

    check_arguments(L);
    if (!log_on(level) || gen_is_test(L)) { /* what a test rehearses is no event */
        if (!lua_isnil(L, 2))
            check_names(L);
        return 0;
    }
    message = lua_log_text(L, 1);
    if (!lua_isnil(L, 2)) {
        luaL_checkstack(L, 2 * FIELDS_MAX + 4, NULL);
        lua_newtable(L); /* keeps the texts made by luaL_tolstring() */
        for (lua_pushnil(L); n < FIELDS_MAX && lua_next(L, 2) != 0; lua_pop(L, 1)) {
            check_name(L); /* here: a __tostring may have added it */
            if (lua_isboolean(L, -1)) {
                fields[n] = LOG_B(lua_tostring(L, -2), lua_toboolean(L, -1));
            } else if (lua_isinteger(L, -1)) {
                fields[n] = LOG_I(lua_tostring(L, -2), lua_tointeger(L, -1));
            } else if (lua_type(L, -1) == LUA_TNUMBER) {
                fields[n] = LOG_N(lua_tostring(L, -2), lua_tonumber(L, -1));
            } else {
                luaL_tolstring(L, -1, NULL);
                fields[n] = LOG_S(lua_tostring(L, -3), lua_log_text(L, -1));
                lua_rawseti(L, 3, (lua_Integer)n + 1);
            }
            lua_pushvalue(L, -2); /* the name, too: __tostring may have taken it away */
            lua_rawseti(L, 3, (lua_Integer)(FIELDS_MAX + n) + 1);
            n++;
        }
    }
    fields[n] = LOG_END;
    lua_log_event(level, message, fields);
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

/* on(level): would an event be written? */
static int l_on(lua_State *L) {
    static const char *const levels[] = {"debug", "info", "warning", "error", NULL};

    lua_pushboolean(L, log_on((enum log_level)luaL_checkoption(L, 1, NULL, levels)));
    return 1;
}

/* trace_id() -> that of the request, or nil */
static int l_trace_id(lua_State *L) {
    /* In another world nothing belongs to a trace of this one. */
    const struct log_scope *scope = gen_scratch(L) == NULL ? task_scope() : NULL;

    if (scope != NULL && scope->trace.id[0] != '\0')
        lua_pushstring(L, scope->trace.id);
    else
        lua_pushnil(L);
    return 1;
}

/* mail(trace_id or anything): what follows is about that mail, or about none. */
static int l_mail(lua_State *L) {
    size_t n = 0;
    const char *id = lua_type(L, 1) == LUA_TSTRING ? lua_tolstring(L, 1, &n) : NULL;

    if (gen_scratch(L) == NULL)
        task_set_mail(id != NULL && trace_is_id(id, n) ? id : "");
    return 0;
}

int lua_log_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"debug", l_debug}, {"info", l_info}, {"warning", l_warning},   {"error", l_error},
        {"mail", l_mail},   {"on", l_on},     {"trace_id", l_trace_id}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
