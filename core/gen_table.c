#include "gen_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "env.h"
#include "role.h"

#define ROUTES_MAX 200
#define JOBS_MAX   20

/* --- routes ---------------------------------------------------------------------------------- */

/* Raises "routes.lua: route 3 (POST /x): ..." */
static int route_error(lua_State *L, int i, const char *what) {
    const char *method, *pattern;

    lua_rawgeti(L, 2, 1);
    lua_rawgeti(L, 2, 2);
    method = lua_tostring(L, -2);
    pattern = lua_tostring(L, -1);
    return luaL_error(L, "routes.lua: route %d (%s %s): %s", i, method != NULL ? method : "?",
                      pattern != NULL ? pattern : "?", what);
}

static unsigned access_bit(lua_State *L, int i) {
    size_t n = 0;
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : "";
    unsigned bit = role_named(word, n);

    if (bit == 0)
        route_error(L, i, "access is draft, send, review, ops, a list of them, or \"public\"");
    return bit;
}

static unsigned read_access(lua_State *L, int i) {
    unsigned bits = 0;

    lua_getfield(L, 2, "access");
    if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "public") == 0)
        return 0;
    if (!lua_istable(L, -1))
        return access_bit(L, i);
    for (lua_Integer n = 1; lua_rawgeti(L, -1, n) != LUA_TNIL; n++) {
        bits |= access_bit(L, i);
        lua_pop(L, 1);
    }
    if (bits == 0)
        route_error(L, i, "access names nobody");
    return bits;
}

static bool is_method(const char *s) {
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(s, known[i]) == 0)
            return true;
    return false;
}

static char *route_string(lua_State *L, int i, int n, const char *what) {
    char *copy;

    if (lua_rawgeti(L, 2, n) != LUA_TSTRING)
        route_error(L, i, what);
    if ((copy = strdup(lua_tostring(L, -1))) == NULL)
        luaL_error(L, "not enough memory");
    return copy;
}

/* Member `serve` of the table at 2; false: it names no role. */
static bool read_serve(lua_State *L, bool *gateway, bool *tracker) {
    const char *serve = "gateway";

    if (lua_getfield(L, 2, "serve") != LUA_TNIL)
        serve = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    *gateway = strcmp(serve, "gateway") == 0 || strcmp(serve, "all") == 0;
    *tracker = strcmp(serve, "tracker") == 0 || strcmp(serve, "all") == 0;
    return *gateway || *tracker;
}

static void read_deadline(lua_State *L, int i, struct gen_route *r) {
    lua_Number seconds = env.request_timeout;

    if (lua_getfield(L, 2, "deadline") != LUA_TNIL)
        seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(seconds > 0 && seconds <= 3600))
        route_error(L, i, "deadline is a number of seconds up to 3600");
    r->deadline_ms = (unsigned)ceil(seconds * 1000);
}

static void check_members(lua_State *L, int i) {
    static const char known[] = " handler access deadline serve waits ";
    char name[40];

    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        if (lua_isinteger(L, -2))
            continue;
        snprintf(name, sizeof(name), " %.30s ",
                 lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?");
        if (strstr(known, name) == NULL)
            route_error(L, i, lua_pushfstring(L, "unknown member '%s'", name));
    }
}

/* Stack: 1 the table of routes, 2 this one. */
static void read_route(lua_State *L, struct gen_table *t, int i) {
    struct gen_route *r = &t->routes[t->nroutes];

    if (!lua_istable(L, 2))
        luaL_error(L, "routes.lua: route %d is not a table", i);
    check_members(L, i);
    t->nroutes++; /* from here on freed with the generation */
    r->handler = LUA_NOREF;
    r->method = route_string(L, i, 1, "the first member is the method");
    r->pattern = route_string(L, i, 2, "the second member is the path");
    if (!is_method(r->method))
        route_error(L, i, "the method is GET (which serves HEAD too), POST, PUT, PATCH or DELETE");
    if (r->pattern[0] != '/')
        route_error(L, i, "the path begins with '/'");
    for (size_t k = 0; k + 1 < t->nroutes; k++)
        if (strcmp(t->routes[k].method, r->method) == 0 &&
            strcmp(t->routes[k].pattern, r->pattern) == 0)
            route_error(L, i, "is there twice");
    r->access = read_access(L, i);
    if (!read_serve(L, &r->gateway, &r->tracker))
        route_error(L, i, "serve is \"gateway\", \"tracker\" or \"all\"");
    read_deadline(L, i, r);
    if (lua_getfield(L, 2, "waits") != LUA_TNIL && !lua_isboolean(L, -1))
        route_error(L, i, "waits is true or false");
    r->waits = lua_toboolean(L, -1);
    if (lua_getfield(L, 2, "handler") != LUA_TFUNCTION)
        route_error(L, i, "handler is not a function");
    r->handler = luaL_ref(L, LUA_REGISTRYINDEX);
}

int gen_table_read_routes(lua_State *L) {
    struct gen_table *t = gen_table_of(L);
    int n;

    if (!lua_istable(L, 1))
        return luaL_error(L, "routes.lua: returns no table");
    n = (int)lua_rawlen(L, 1);
    if (n == 0 || n > ROUTES_MAX)
        return luaL_error(L, "routes.lua: %d routes; from 1 to %d are possible", n, ROUTES_MAX);
    if ((t->routes = calloc((size_t)n, sizeof(*t->routes))) == NULL)
        return luaL_error(L, "not enough memory");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        read_route(L, t, i);
        lua_settop(L, 1);
    }
    return 0;
}

/* --- jobs ------------------------------------------------------------------------------------ */

/* Stack: 1 the table of jobs, 2 this one. */
static void read_job(lua_State *L, struct gen_table *t, int i) {
    struct gen_job *job = &t->jobs[t->njobs];
    lua_Number seconds;

    if (!lua_istable(L, 2) || lua_rawgeti(L, 2, 1) != LUA_TSTRING)
        luaL_error(L, "jobs.lua: job %d: the first member is its name", i);
    if ((job->name = strdup(lua_tostring(L, -1))) == NULL)
        luaL_error(L, "not enough memory");
    t->njobs++; /* from here on freed with the generation */
    lua_getfield(L, 2, "every");
    seconds = lua_tonumber(L, -1);
    if (!(seconds > 0 && seconds <= 86400))
        luaL_error(L, "jobs.lua: job '%s': every is a number of seconds up to 86400", job->name);
    job->every_ms = (unsigned)ceil(seconds * 1000);
    if (!read_serve(L, &job->gateway, &job->tracker))
        luaL_error(L, "jobs.lua: job '%s': serve is \"gateway\", \"tracker\" or \"all\"",
                   job->name);
    if (lua_getfield(L, 2, "run") != LUA_TFUNCTION)
        luaL_error(L, "jobs.lua: job '%s': run is not a function", job->name);
    job->run = luaL_ref(L, LUA_REGISTRYINDEX);
}

int gen_table_read_jobs(lua_State *L) {
    struct gen_table *t = gen_table_of(L);
    int n;

    if (!lua_istable(L, 1))
        return luaL_error(L, "jobs.lua: returns no table");
    n = (int)lua_rawlen(L, 1);
    if (n > JOBS_MAX)
        return luaL_error(L, "jobs.lua: %d jobs; up to %d are possible", n, JOBS_MAX);
    if (n > 0 && (t->jobs = calloc((size_t)n, sizeof(*t->jobs))) == NULL)
        return luaL_error(L, "not enough memory");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        read_job(L, t, i);
        lua_settop(L, 1);
    }
    return 0;
}

void gen_table_free(struct gen_table *t) {
    for (size_t i = 0; i < t->nroutes; i++) {
        free((void *)(uintptr_t)t->routes[i].method);
        free((void *)(uintptr_t)t->routes[i].pattern);
    }
    free(t->routes);
    for (size_t i = 0; i < t->njobs; i++)
        free((void *)(uintptr_t)t->jobs[i].name);
    free(t->jobs);
}
