#include "gen.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"
#include "clock.h"
#include "gen_table.h"
#include "log.h"
#include "role.h"
#include "sandbox.h"
#include "scratch.h"
#include "slab.h"
#include "task.h"
#include "tree.h"

#define THREADS_MAX 32  /* kept for the next tasks */
#define GC_PAUSE    150 /* per cent of what was live: then the next collection begins */

struct gen {
    struct gen *next, **link; /* of all there are */
    lua_State *L;
    struct tree *tree;
    struct scratch *scratch; /* NULL: the real world */
    unsigned number;
    unsigned holders;
    bool replaced;
    struct slabs slabs;
    size_t bytes, limit, loaded; /* of memory: now, at most, when it was loaded */
    struct gen_table table;
    int roles, per_minute;              /* registry references: functions of access.lua */
    int threads[THREADS_MAX], nthreads; /* the same: coroutines that have ended */
};

static struct gen *all, *live;
static struct gen_refusal refusal;
static unsigned numbers;

/* --- memory ---------------------------------------------------------------------------------- */

/* With a sanitizer each object is a block of its own, so that it sees how they are used. */
static void *resize(struct gen *g, void *block, size_t old, size_t size) {
#ifdef __SANITIZE_ADDRESS__
    (void)g, (void)old;
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
#else
    return slabs_realloc(&g->slabs, block, old, size);
#endif
}

static void *gen_alloc(void *ud, void *ptr, size_t old, size_t size) {
    struct gen *g = ud;
    void *p;

    if (ptr == NULL)
        old = 0; /* then it tells the kind of object */
    if (size == 0) {
        g->bytes -= old;
        return resize(g, ptr, old, 0);
    }
    if (size > old && g->bytes - old + size > g->limit)
        return NULL;
    if ((p = resize(g, ptr, old, size)) != NULL)
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

size_t gen_bytes_of_all(void) {
    size_t bytes = 0;

    for (const struct gen *g = all; g != NULL; g = g->next)
        bytes += g->bytes;
    return bytes;
}

size_t gen_growth(const struct gen *g) {
    return g->bytes > g->loaded ? g->bytes - g->loaded : 0;
}

/* --- routes and jobs ------------------------------------------------------------------------- */

struct gen_table *gen_table_of(lua_State *L) {
    return &gen_of(L)->table;
}

const struct gen_route *gen_routes(const struct gen *g, size_t *n) {
    *n = g->table.nroutes;
    return g->table.routes;
}

const struct gen_job *gen_jobs(const struct gen *g, size_t *n) {
    *n = g->table.njobs;
    return g->table.jobs;
}

/* --- what an identity may do ----------------------------------------------------------------- */

/* Keep a function of access.lua; what an overlay leaves out is the shipped one. */
static int ref_access(lua_State *L, const char *name) {
    static const char *const modules[] = {"access", "shipped.access"};

    for (size_t i = 0; i < COUNT_OF(modules); i++) {
        lua_settop(L, 0);
        lua_getglobal(L, "require");
        lua_pushstring(L, modules[i]);
        lua_call(L, 1, 1);
        if (lua_istable(L, -1) && lua_getfield(L, -1, name) == LUA_TFUNCTION)
            return luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return luaL_error(L, "access.lua: returns no table with a function '%s'", name);
}

static int l_load_access(lua_State *L) {
    gen_of(L)->roles = ref_access(L, "roles");
    gen_of(L)->per_minute = ref_access(L, "rate");
    return 0;
}

/* The answer of a function of access.lua. */
static void ask_access(lua_State *L, int function, const struct gen_identity *who) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, function);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, who->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, who->name);
    lua_setfield(L, -2, "name");
    lua_call(L, 1, 1);
}

static void read_roles(lua_State *L, struct gen_identity *who) {
    const char *word;
    unsigned bit;
    size_t len;

    ask_access(L, gen_of(L)->roles, who);
    if (!lua_istable(L, -1))
        luaL_error(L, "access.lua: roles() returns no list");
    for (lua_Integer n = 1; lua_rawgeti(L, -1, n) != LUA_TNIL; n++) {
        word = luaL_tolstring(L, -1, &len);
        if ((bit = role_named(word, len)) == 0)
            luaL_error(L, "access.lua: roles() names '%s', which is no role", word);
        who->roles |= bit;
        lua_pop(L, 2);
    }
    lua_pop(L, 2);
}

static void read_per_minute(lua_State *L, struct gen_identity *who) {
    ask_access(L, gen_of(L)->per_minute, who);
    if (!lua_isnil(L, -1) &&
        (lua_type(L, -1) != LUA_TNUMBER || !((who->per_minute = lua_tonumber(L, -1)) > 0)))
        luaL_error(L, "access.lua: rate() returns neither nil nor a number above 0");
    lua_pop(L, 1);
}

static int l_access(lua_State *L) {
    struct gen_identity *who = lua_touserdata(L, 1);

    if (!who->has_roles)
        read_roles(L, who);
    read_per_minute(L, who);
    return 0;
}

int gen_access(struct gen *g, struct gen_identity *who, char *why, size_t size) {
    who->per_minute = 0;
    lua_pushcfunction(g->L, l_access);
    lua_pushlightuserdata(g->L, who);
    if (task_pcall_hook(g, g->L, 1, 0) == LUA_OK)
        return 0;
    snprintf(why, size, "%s", lua_tostring(g->L, -1));
    lua_pop(g->L, 2);
    return -1;
}

/* --- birth and death ------------------------------------------------------------------------- */

static void link_in(struct gen *g) {
    g->next = all;
    g->link = &all;
    if (all != NULL)
        all->link = &g->next;
    all = g;
}

static void gen_close(struct gen *g) {
    *g->link = g->next;
    if (g->next != NULL)
        g->next->link = g->link;
    lua_close(g->L);
    slabs_fini(&g->slabs);
    scratch_unref(g->scratch);
    gen_table_free(&g->table);
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
    return load_table(L, "routes", gen_table_read_routes);
}

static int l_load_jobs(lua_State *L) {
    return load_table(L, "jobs", gen_table_read_jobs);
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

static struct gen *load(struct tree *tree, const lua_CFunction *steps, size_t n,
                        struct scratch *world, unsigned number, struct err *e) {
    struct gen *g = calloc(1, sizeof(*g));

    if (g == NULL || (g->limit = TASK_SLICE_MEM, g->L = lua_newstate(gen_alloc, g)) == NULL) {
        free(g);
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the scripts");
        return NULL;
    }
    link_in(g);
    g->tree = tree_ref(tree);
    g->scratch = scratch_ref(world);
    g->number = number;
    lua_gc(g->L, LUA_GCSTOP); /* what loading makes stays: one collection at its end will do */
    for (size_t i = 0; i < n; i++) {
        lua_pushcfunction(g->L, steps[i]);
        if (task_pcall(g, g->L, 0, 0) != LUA_OK)
            goto fail;
    }
    lua_gc(g->L, LUA_GCRESTART);
    lua_gc(g->L, LUA_GCCOLLECT);
    /* The scripts are most of the heap, and stay: with Lua's own pause (200) as much again would be
     * garbage before the next collection is done. */
    lua_gc(g->L, LUA_GCINC, GC_PAUSE, 0, 0);
    g->loaded = g->bytes;
    return g;
fail:
    err_set(e, ERR_POLICY_ERROR, "%s", lua_tostring(g->L, -1));
    gen_close(g);
    return NULL;
}

static const lua_CFunction whole_steps[] = {l_boot,      l_check_hooks, l_load_routes,
                                            l_load_jobs, l_load_access, l_check_templates};
static const lua_CFunction bare_steps[] = {l_boot};

/* The next number is taken by what has loaded. */
static struct gen *load_numbered(struct tree *tree, const lua_CFunction *steps, size_t n,
                                 struct err *e) {
    struct gen *g = load(tree, steps, n, NULL, numbers + 1, e);

    numbers += g != NULL;
    return g;
}

struct gen *gen_load(struct tree *tree, struct err *e) {
    return load_numbered(tree, whole_steps, COUNT_OF(whole_steps), e);
}

struct gen *gen_load_bare(struct tree *tree, struct err *e) {
    return load_numbered(tree, bare_steps, COUNT_OF(bare_steps), e);
}

struct gen *gen_load_in(struct tree *tree, struct scratch *world, struct err *e) {
    return load(tree, whole_steps, COUNT_OF(whole_steps), world, numbers, e);
}

struct gen *gen_load_scratch(struct tree *tree, struct err *e) {
    struct scratch *world = scratch_new();
    struct gen *g = NULL;

    if (world == NULL)
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the scripts");
    else
        g = load(tree, bare_steps, COUNT_OF(bare_steps), world, numbers, e);
    scratch_unref(world);
    return g;
}

void gen_need_routes(lua_State *L) {
    static const lua_CFunction steps[] = {l_load_routes, l_load_access};

    if (gen_of(L)->table.routes != NULL)
        return;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        lua_pushcfunction(L, steps[i]);
        lua_call(L, 0, 0);
    }
}

void gen_drop(struct gen *g) {
    g->replaced = true;
    if (g->holders == 0)
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
    if (old != NULL)
        gen_drop(old);
    malloc_trim(0); /* what compiling has left behind, and what the old one was in */
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

unsigned gen_tasks(const struct gen *g) {
    return g->holders;
}

struct scratch *gen_scratch(lua_State *L) {
    const struct gen *g = gen_of(L);

    return g != NULL ? g->scratch : NULL;
}

bool gen_is_test(lua_State *L) {
    const struct scratch *s = gen_scratch(L);

    return s != NULL && !scratch_is_rehearsal(s);
}

int64_t gen_now_us(lua_State *L) {
    struct scratch *s = gen_scratch(L);

    return s != NULL ? scratch_now_us(s) : clock_now_us();
}

void gen_hold(struct gen *g) {
    g->holders++;
}

void gen_release(struct gen *g) {
    if (--g->holders == 0 && g->replaced)
        gen_close(g);
}

/* --- coroutines ------------------------------------------------------------------------------ */

lua_State *gen_take_thread(struct gen *g, int *ref) {
    lua_State *L = g->L, *co;

    if (g->nthreads > 0) {
        *ref = g->threads[--g->nthreads];
        lua_rawgeti(L, LUA_REGISTRYINDEX, *ref);
        co = lua_tothread(L, -1);
        lua_pop(L, 1);
        return co;
    }
    co = lua_newthread(L);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return co;
}

void gen_leave_thread(struct gen *g, lua_State *co, int ref, bool ended) {
    if (ref == LUA_NOREF)
        return;
    if (!ended || g->nthreads == THREADS_MAX) {
        luaL_unref(g->L, LUA_REGISTRYINDEX, ref);
        return;
    }
    lua_settop(co, 0);
    g->threads[g->nthreads++] = ref;
}
