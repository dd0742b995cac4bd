/*
 * bindings.h - the modules that scripts can require: lua_x.c binds paraph.x and nothing else.
 *
 * Each function leaves its module on the stack, as luaL_requiref() wants it.
 */
#ifndef BINDINGS_H
#define BINDINGS_H

#include <lua.h>

int lua_address_open(lua_State *L);
int lua_blob_open(lua_State *L);  /* registers the type; the module is empty */
int lua_cjson_open(lua_State *L); /* the module is `cjson` */
int lua_config_open(lua_State *L);
int lua_crypto_open(lua_State *L);
int lua_environ_open(lua_State *L); /* the module is the function itself */
int lua_errors_open(lua_State *L);
int lua_fetch_open(lua_State *L);                /* the module is the function itself */
#define LUA_FETCH_ANSWERS "paraph.fetch.answers" /* registry: a test's function in its place */
int lua_jobs_open(lua_State *L);
int lua_json_open(lua_State *L);
int lua_log_open(lua_State *L);
int lua_mail_open(lua_State *L);
int lua_metrics_open(lua_State *L);
int lua_policy_open(lua_State *L);
int lua_prompt_open(lua_State *L);
int lua_rehearsal_open(lua_State *L);
int lua_scripts_open(lua_State *L);
int lua_serve_open(lua_State *L); /* the module is the function itself */
int lua_session_open(lua_State *L);
int lua_store_open(lua_State *L);
int lua_task_open(lua_State *L);
int lua_templates_open(lua_State *L);
int lua_text_open(lua_State *L);
int lua_time_open(lua_State *L);
int lua_webhook_open(lua_State *L);

/* Not modules: functions of the globals, and find, match, gmatch, gsub and rep in the global
 * `string`, replaced by versions with bounds. */
int lua_base_open(lua_State *L);
int lua_string_open(lua_State *L);
int lua_table_open(lua_State *L);

#endif
