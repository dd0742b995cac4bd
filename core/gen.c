#include "gen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"
#include "clock.h"
#include "env.h"
#include "log.h"
#include "sandbox.h"
#include "task.h"
#include "tree.h"

#define ROUTES_MAX 200
#define JOBS_MAX   20

struct gen {
    lua_State *L;
    struct tree *tree;
    unsigned number;
    unsigned holders;
    bool replaced;
    size_t bytes, limit, loaded; /* of memory: now, at most, when it was loaded */
    struct gen_route *routes;
    size_t nroutes;
    int roles; /* registry reference: the function of access.lua */
    struct gen_job *jobs;
    size_t njobs;
};

static struct gen *live;
static struct gen_refusal refusal;
static unsigned numbers;

/* --- memory ---------------------------------------------------------------------------------- */

static void *gen_alloc(void *ud, void *ptr, size_t old, size_t size) {
    struct gen *g = ud;
    void *p;

    if (ptr == NULL)
        old = 0; /* then it tells the kind of object */
    if (size == 0) {
        g->bytes -= old;
        free(ptr);
        return NULL;
    }
    if (size > old && g->bytes - old + size > g->limit)
        return NULL;
    if ((p = realloc(ptr, size)) != NULL)
        g->bytes += size - old;
    return p;
}

size_t gen_allow(struct gen *g, size_t growth) {
    size_t before = g->limit;

    g->limit = g->bytes + growth < GEN_BYTES_MAX ? g->bytes + growth : GEN_BYTES_MAX;
    return before;
}

void gen_allow_until(struct gen *g, size_t limit) {
    g->limit = limit;
}

size_t gen_limit(const struct gen *g) {
    return g->limit;
}

size_t gen_bytes(const struct gen *g) {
    return g->bytes;
}

size_t gen_growth(const struct gen *g) {
    return g->bytes > g->loaded ? g->bytes - g->loaded : 0;
}

/* --- routes ---------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    unsigned bit;
} roles[] = {{"draft", GEN_DRAFT}, {"send", GEN_SEND}, {"review", GEN_REVIEW}, {"ops", GEN_OPS}};

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

/* The role whose word is at the top of the stack; 0 if it is none. */
static unsigned role_bit(lua_State *L) {
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

    for (size_t r = 0; word != NULL && r < COUNT_OF(roles); r++)
        if (strcmp(word, roles[r].word) == 0)
            return roles[r].bit;
    return 0;
}

static unsigned access_bit(lua_State *L, int i) {
    unsigned bit = role_bit(L);

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
    static const char known[] = " handler access deadline serve ";
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
static void read_route(lua_State *L, struct gen *g, int i) {
    struct gen_route *r = &g->routes[g->nroutes];

    if (!lua_istable(L, 2))
        luaL_error(L, "routes.lua: route %d is not a table", i);
    check_members(L, i);
    g->nroutes++; /* from here on freed with the generation */
    r->handler = LUA_NOREF;
    r->method = route_string(L, i, 1, "the first member is the method");
    r->pattern = route_string(L, i, 2, "the second member is the path");
    if (!is_method(r->method))
        route_error(L, i, "the method is GET (which serves HEAD too), POST, PUT, PATCH or DELETE");
    if (r->pattern[0] != '/')
        route_error(L, i, "the path begins with '/'");
    for (size_t k = 0; k + 1 < g->nroutes; k++)
        if (strcmp(g->routes[k].method, r->method) == 0 &&
            strcmp(g->routes[k].pattern, r->pattern) == 0)
            route_error(L, i, "is there twice");
    r->access = read_access(L, i);
    if (!read_serve(L, &r->gateway, &r->tracker))
        route_error(L, i, "serve is \"gateway\", \"tracker\" or \"all\"");
    read_deadline(L, i, r);
    if (lua_getfield(L, 2, "handler") != LUA_TFUNCTION)
        route_error(L, i, "handler is not a function");
    r->handler = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int l_read_routes(lua_State *L) {
    struct gen *g = gen_of(L);
    int n;

    if (!lua_istable(L, 1))
        return luaL_error(L, "routes.lua: returns no table");
    n = (int)lua_rawlen(L, 1);
    if (n == 0 || n > ROUTES_MAX)
        return luaL_error(L, "routes.lua: %d routes; from 1 to %d are possible", n, ROUTES_MAX);
    if ((g->routes = calloc((size_t)n, sizeof(*g->routes))) == NULL)
        return luaL_error(L, "not enough memory");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        read_route(L, g, i);
        lua_settop(L, 1);
    }
    return 0;
}

const struct gen_route *gen_routes(const struct gen *g, size_t *n) {
    *n = g->nroutes;
    return g->routes;
}

/* --- jobs ------------------------------------------------------------------------------------ */

/* Stack: 1 the table of jobs, 2 this one. */
static void read_job(lua_State *L, struct gen *g, int i) {
    struct gen_job *job = &g->jobs[g->njobs];
    lua_Number seconds;

    if (!lua_istable(L, 2) || lua_rawgeti(L, 2, 1) != LUA_TSTRING)
        luaL_error(L, "jobs.lua: job %d: the first member is its name", i);
    if ((job->name = strdup(lua_tostring(L, -1))) == NULL)
        luaL_error(L, "not enough memory");
    g->njobs++; /* from here on freed with the generation */
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

static int l_read_jobs(lua_State *L) {
    struct gen *g = gen_of(L);
    int n;

    if (!lua_istable(L, 1))
        return luaL_error(L, "jobs.lua: returns no table");
    n = (int)lua_rawlen(L, 1);
    if (n > JOBS_MAX)
        return luaL_error(L, "jobs.lua: %d jobs; up to %d are possible", n, JOBS_MAX);
    if (n > 0 && (g->jobs = calloc((size_t)n, sizeof(*g->jobs))) == NULL)
        return luaL_error(L, "not enough memory");
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        read_job(L, g, i);
        lua_settop(L, 1);
    }
    return 0;
}

const struct gen_job *gen_jobs(const struct gen *g, size_t *n) {
    *n = g->njobs;
    return g->jobs;
}

/* --- the roles of an identity ---------------------------------------------------------------- */

static int l_load_access(lua_State *L) {
    lua_settop(L, 0);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "access");
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1) || lua_getfield(L, -1, "roles") != LUA_TFUNCTION)
        return luaL_error(L, "access.lua: returns no table with a function 'roles'");
    gen_of(L)->roles = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

struct identity {
    const char *method, *name;
    unsigned roles;
};

static int l_roles(lua_State *L) {
    struct identity *who = lua_touserdata(L, 1);
    unsigned bit;

    lua_rawgeti(L, LUA_REGISTRYINDEX, gen_of(L)->roles);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, who->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, who->name);
    lua_setfield(L, -2, "name");
    lua_call(L, 1, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "access.lua: roles() returns no list");
    for (lua_Integer n = 1; lua_rawgeti(L, -1, n) != LUA_TNIL; n++) {
        if ((bit = role_bit(L)) == 0)
            return luaL_error(L, "access.lua: roles() names '%s', which is no role",
                              luaL_tolstring(L, -1, NULL));
        who->roles |= bit;
        lua_pop(L, 1);
    }
    return 0;
}

int gen_roles(struct gen *g, const char *method, const char *name, unsigned *bits, char *why,
              size_t size) {
    struct identity who = {method, name, 0};

    lua_pushcfunction(g->L, l_roles);
    lua_pushlightuserdata(g->L, &who);
    if (task_pcall_hook(g, g->L, 1, 0) != LUA_OK) {
        snprintf(why, size, "%s", lua_tostring(g->L, -1));
        lua_pop(g->L, 2);
        return -1;
    }
    *bits = who.roles;
    return 0;
}

/* --- birth and death ------------------------------------------------------------------------- */

static void gen_close(struct gen *g) {
    lua_close(g->L);
    for (size_t i = 0; i < g->nroutes; i++) {
        free((void *)(uintptr_t)g->routes[i].method);
        free((void *)(uintptr_t)g->routes[i].pattern);
    }
    free(g->routes);
    for (size_t i = 0; i < g->njobs; i++)
        free((void *)(uintptr_t)g->jobs[i].name);
    free(g->jobs);
    tree_unref(g->tree);
    free(g);
}

static int l_boot(lua_State *L) {
    sandbox_open(L);
    return 0;
}

/* Hand what a script returns to `read`. */
static int load_table(lua_State *L, const char *script, lua_CFunction read) {
    lua_settop(L, 0);
    lua_pushcfunction(L, read);
    lua_getglobal(L, "require");
    lua_pushstring(L, script);
    lua_call(L, 1, 1);
    lua_call(L, 1, 0);
    return 0;
}

static int l_load_routes(lua_State *L) {
    return load_table(L, "routes", l_read_routes);
}

static int l_load_jobs(lua_State *L) {
    return load_table(L, "jobs", l_read_jobs);
}

/* What a module's function `check` finds wrong, it raises. */
static int check_module(lua_State *L, const char *name) {
    lua_settop(L, 0);
    lua_getglobal(L, "require");
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "check");
    lua_call(L, 0, 0);
    return 0;
}

static int l_check_hooks(lua_State *L) {
    return check_module(L, "lib.hooks");
}

static int l_check_templates(lua_State *L) {
    return check_module(L, "lib.templates");
}

static struct gen *load(struct tree *tree, const lua_CFunction *steps, size_t n, struct err *e) {
    struct gen *g = calloc(1, sizeof(*g));

    if (g == NULL || (g->limit = TASK_SLICE_MEM, g->L = lua_newstate(gen_alloc, g)) == NULL) {
        free(g);
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the scripts");
        return NULL;
    }
    g->tree = tree_ref(tree);
    g->number = ++numbers;
    for (size_t i = 0; i < n; i++) {
        lua_pushcfunction(g->L, steps[i]);
        if (task_pcall(g, g->L, 0, 0) != LUA_OK)
            goto fail;
    }
    lua_gc(g->L, LUA_GCCOLLECT);
    g->loaded = g->bytes;
    return g;
fail:
    err_set(e, ERR_POLICY_ERROR, "%s", lua_tostring(g->L, -1));
    numbers--;
    gen_close(g);
    return NULL;
}

struct gen *gen_load(struct tree *tree, struct err *e) {
    static const lua_CFunction steps[] = {l_boot,      l_check_hooks, l_load_routes,
                                          l_load_jobs, l_load_access, l_check_templates};

    return load(tree, steps, COUNT_OF(steps), e);
}

struct gen *gen_load_bare(struct tree *tree, struct err *e) {
    static const lua_CFunction steps[] = {l_boot};

    return load(tree, steps, COUNT_OF(steps), e);
}

void gen_drop(struct gen *g) {
    gen_close(g);
}

struct gen *gen_live(void) {
    return live;
}

void gen_refuse(const struct err *e) {
    if (refusal.err.code == ERR_NONE)
        refusal.since_us = clock_now_us();
    refusal.err = e != NULL ? *e : (struct err){0};
}

const struct gen_refusal *gen_refused(void) {
    return &refusal;
}

void gen_swap(struct gen *g) {
    struct gen *old = live;

    live = g;
    gen_refuse(NULL);
    if (old == NULL)
        return;
    old->replaced = true;
    if (old->holders == 0)
        gen_close(old);
}

lua_State *gen_state(struct gen *g) {
    return g->L;
}

struct gen *gen_of(lua_State *L) {
    void *ud;

    lua_getallocf(L, &ud);
    return ud;
}

struct tree *gen_tree(const struct gen *g) {
    return g->tree;
}

unsigned gen_number(const struct gen *g) {
    return g->number;
}

size_t gen_bytes(const struct gen *g) {
    return g->bytes;
}

void gen_hold(struct gen *g) {
    g->holders++;
}

void gen_release(struct gen *g) {
    if (--g->holders == 0 && g->replaced)
        gen_close(g);
}
