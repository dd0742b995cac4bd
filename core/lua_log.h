/*
 * lua_log.h - events of scripts, bounded in size and number: a flood of the log is an attack too.
 */
#ifndef LUA_LOG_H
#define LUA_LOG_H

#include <lua.h>

#include "log.h"

/* Replace the string at idx by its beginning if it is longer than one field of an event may be, and
 * return it. */
const char *lua_log_text(lua_State *L, int idx);

/* Write an event with the id of the request that runs, unless it has written its share. */
void lua_log_event(enum log_level level, const char *message, const struct log_field *fields);

#endif
