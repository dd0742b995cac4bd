#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "env.h"
#include "fetch.h"
#include "gen.h"
#include "log.h"
#include "loop.h"
#include "lua_testing.h"
#include "role.h"
#include "sandbox.h"
#include "scratch.h"
#include "task.h"
#include "tree.h"

#define WAKES_MAX   10000 /* of one input: whoever sleeps as often as that never ends */
#define LOOK_EVERY  1000  /* inputs, at the memory of the generation */
#define GROWTH_MAX  (8 * MIB)
#define DEADLINE_MS 600000 /* of the scratch's clock: an input is a request, not a job */

static struct world {
    struct gen *gen;
    int testing, run, loaded; /* registry references */
    bool ended;
    unsigned wakes, inputs;
    size_t settled; /* bytes of the generation after the first inputs */
} world;

static void demand(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "world: %s\n", what);
    abort();
}

/* --- birth ----------------------------------------------------------------------------------- */

static void load_env(void) {
    struct buf faults;

    clearenv();
    setenv("SCRIPTS_DIR", SOURCE_DIR "/tests/fuzz/scripts", 1);
    buf_init(&faults, 64 * KIB);
    demand(env_load(&faults) == 0, faults.data);
    buf_free(&faults);
    env.shipped_scripts_dir = SOURCE_DIR "/scripts";
    env.shipped_templates_dir = SOURCE_DIR "/templates";
    log_init(LOG_ERROR, false);
}

/* module -> paraph.testing, its function, the modules loaded */
static int l_open(lua_State *L) {
    const char *module = lua_touserdata(L, 1);

    sandbox_open_modules(L);
    lua_testing_load(L, NULL);
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 1);
    luaL_checktype(L, -1, LUA_TFUNCTION);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "paraph.loaded");
    return 3;
}

static void load(void) {
    struct tree *tree;
    struct err e;

    load_env();
    demand(loop_init() == 0 && task_watchdog_start(TASK_SLICE_TEST_MS) == 0, strerror(errno));
    demand(fetch_init(&e) == 0, e.message);
    demand((tree = tree_read(&e)) != NULL, e.message);
    demand((world.gen = gen_load_scratch(tree, &e)) != NULL, e.message);
    tree_unref(tree);
}

static void open_module(const char *module) {
    lua_State *L = gen_state(world.gen);

    lua_pushcfunction(L, l_open);
    lua_pushlightuserdata(L, (void *)(uintptr_t)module);
    demand(task_pcall(world.gen, L, 1, 3) == LUA_OK, lua_tostring(L, -1));
    world.loaded = luaL_ref(L, LUA_REGISTRYINDEX);
    world.run = luaL_ref(L, LUA_REGISTRYINDEX);
    world.testing = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* --- an input -------------------------------------------------------------------------------- */

/* Did a budget end it?  Only the machine says so, and not behind a place in a script. */
static bool is_budget(const char *trace) {
    static const char *const sentences[] = {"the script ran for more than ", "the request ran for ",
                                            "not enough memory"};

    for (size_t i = 0; i < COUNT_OF(sentences); i++)
        if (strncmp(trace, sentences[i], strlen(sentences[i])) == 0)
            return true;
    return false;
}

static void on_done(lua_State *co, int status, int nres, const char *trace, void *arg) {
    (void)co;
    (void)nres;
    (void)arg;
    world.ended = true;
    demand(status == LUA_OK || is_budget(trace), trace);
}

static int l_begin(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, world.testing);
    lua_getfield(L, -1, "begin");
    lua_call(L, 0, 0);
    return 0;
}

/* On the main state: the function and its arguments. */
static int l_push(lua_State *L) {
    const uint8_t *data = lua_touserdata(L, 1);
    size_t size = (size_t)lua_tointeger(L, 2);

    lua_rawgeti(L, LUA_REGISTRYINDEX, world.run);
    lua_pushlstring(L, (const char *)data, size);
    lua_rawgeti(L, LUA_REGISTRYINDEX, world.loaded);
    return 3;
}

/* Time passes when all that runs waits for it. */
static void turn(void) {
    if (task_run_ready())
        return;
    demand(scratch_wake(gen_scratch(gen_state(world.gen))), "it waits for what never comes");
    demand(++world.wakes < WAKES_MAX, "it waits without end");
}

static void collect(lua_State *L) {
    lua_gc(L, LUA_GCCOLLECT);
    lua_gc(L, LUA_GCCOLLECT);
}

static void look_for_leaks(lua_State *L) {
    if (op_count() > 0)
        collect(L);
    demand(op_count() == 0, "operations are left behind");
    demand(fetch_count() == 0, "transfers are left behind");
    demand(gen_tasks(world.gen) == 0, "tasks are left behind");
    if (++world.inputs % LOOK_EVERY != 0)
        return;
    collect(L);
    if (world.settled == 0)
        world.settled = gen_bytes(world.gen);
    demand(gen_bytes(world.gen) < world.settled + GROWTH_MAX, "the generation grows");
}

void world_run(const char *module, const uint8_t *data, size_t size) {
    static const struct task_owner owner = {"fuzz", "fuzz", "test", NULL, ROLE_ALL, NULL};
    lua_State *L;

    if (world.gen == NULL) {
        load();
        open_module(module);
    }
    L = gen_state(world.gen);
    lua_pushcfunction(L, l_begin);
    demand(task_pcall(world.gen, L, 0, 0) == LUA_OK, lua_tostring(L, -1));
    lua_pushcfunction(L, l_push);
    lua_pushlightuserdata(L, (void *)(uintptr_t)data);
    lua_pushinteger(L, (lua_Integer)size);
    demand(task_pcall(world.gen, L, 2, 3) == LUA_OK, lua_tostring(L, -1));
    world.ended = false;
    world.wakes = 0;
    (void)task_start(world.gen, L, 2, DEADLINE_MS, &owner, on_done, NULL);
    while (!world.ended)
        turn();
    while (task_are_ready())
        (void)task_run_ready();
    look_for_leaks(L);
}

static int l_need_routes(lua_State *L) {
    gen_need_routes(L);
    return 0;
}

struct gen *world_gen(void) {
    if (world.gen != NULL)
        return world.gen;
    load();
    lua_pushcfunction(gen_state(world.gen), l_need_routes);
    demand(task_pcall(world.gen, gen_state(world.gen), 0, 0) == LUA_OK, "there are no routes");
    return world.gen;
}
