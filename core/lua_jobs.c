/*
 * lua_jobs.c - paraph.jobs: the jobs of jobs.lua, from within.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "gen.h"
#include "job.h"
#include "task.h"

#define WAKE_MS_MAX 86400000 /* a day, as the longest interval of a job */

/* wake(name, ms) */
static int l_wake(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    lua_Integer ms = luaL_checkinteger(L, 2);

    luaL_argcheck(L, ms >= 0 && ms <= WAKE_MS_MAX, 2, "must be from 0 to 86400000");
    if (task_in_hook())
        return luaL_error(L, "a hook wakes no job");
    if (gen_scratch(L) == NULL) /* what is rehearsed moves nothing in the service */
        job_wake(name, (uint64_t)ms);
    return 0;
}

int lua_jobs_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"wake", l_wake}, {NULL, NULL}};

    luaL_newlib(L, functions);
    return 1;
}
