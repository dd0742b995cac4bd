/*
 * lua_policy.c - paraph.policy: call an operator's function so that its faults stay its own.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "gen.h"
#include "log.h"
#include "lua_log.h"
#include "metrics.h"
#include "task.h"

/* call(hook, f, ...) -> true, results... | false, message, trace */
static int l_call(lua_State *L) {
    const char *hook = luaL_checkstring(L, 1);
    uint64_t began = clock_monotonic_us();
    int status;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_checkstack(L, LUA_MINSTACK, NULL);
    status = task_pcall_hook(gen_of(L), L, lua_gettop(L) - 2, LUA_MULTRET);
    if (gen_scratch(L) == NULL)
        metrics_observe(METRIC_POLICY_SECONDS, clock_monotonic_us() - began, METRICS_LABELS(hook));
    if (status == LUA_ERRMEM) {
        lua_settop(L, 1);
        lua_pushfstring(L, "the policy hook needs more than %d MiB of memory",
                        (int)(TASK_HOOK_MEM / MIB));
        lua_pushvalue(L, -1);
    }
    luaL_checkstack(L, 1, NULL);
    lua_pushboolean(L, status == LUA_OK);
    lua_replace(L, 1);
    return lua_gettop(L);
}

/* where(f) -> "policy/review.lua:12" */
static int l_where(lua_State *L) {
    lua_Debug ar;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_getinfo(L, ">S", &ar);
    if (ar.what[0] == 'C')
        lua_pushliteral(L, "[C]");
    else
        lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
    return 1;
}

/* failed(hook, error): what is told of a hook that failed, however much its scripts have logged. */
static int l_failed(lua_State *L) {
    const char *hook = luaL_checkstring(L, 1), *why;

    luaL_checkstring(L, 2);
    if (task_in_hook())
        return luaL_error(L, "a hook does not tell of others that failed");
    if (gen_is_test(L))
        return 0;
    if (gen_scratch(L) == NULL)
        METRICS_COUNT(METRIC_POLICY_ERRORS, hook);
    why = lua_log_text(L, 2);
    LOG(LOG_ERROR, NULL, "policy error", LOG_S("hook", hook), LOG_S("error", why));
    return 0;
}

int lua_policy_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"call", l_call}, {"failed", l_failed}, {"where", l_where}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
