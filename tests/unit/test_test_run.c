/* Which tests a service runs, and a run beside other things: one step a turn, what it leaves
 * behind, and its end before its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "log.h"
#include "loop.h"
#include "task.h"
#include "test_run.h"
#include "tree.h"

static char overlay[] = "/tmp/paraph-unit-XXXXXX";

/* --- files ----------------------------------------------------------------------------------- */

static const char *path_of(const char *dir, const char *name) {
    static char path[1024];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void put(const char *dir, const char *name, const char *text) {
    FILE *f = fopen(path_of(dir, name), "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void test_served(void **state) {
    static const char *const names[] = {"b_test.lua", "d_test.lua"};
    char shipped[] = "/tmp/paraph-unit-XXXXXX";
    const char *real = env.shipped_scripts_dir;
    struct test_files files;
    struct tree *t;
    struct err e;

    (void)state;
    assert_non_null(mkdtemp(shipped));
    assert_int_equal(mkdir(path_of(shipped, "p"), 0700), 0);
    put(shipped, "a.lua", "");
    put(shipped, "a_test.lua", "");
    put(shipped, "b_test.lua", "");
    put(shipped, "c_test.lua", "");
    put(shipped, "p/e_test.lua", "");
    put(overlay, "a.lua", "");
    put(overlay, "b.lua", "");
    put(overlay, "b_test.lua", "");
    put(overlay, "d_test.lua", "");
    put(overlay, "e.lua", "");
    env.shipped_scripts_dir = shipped;
    assert_non_null(t = tree_read(&e));
    assert_int_equal(test_files_of(&files, t, &e), 0);
    assert_int_equal(files.n, COUNT_OF(names));
    for (size_t i = 0; i < files.n; i++)
        assert_string_equal(files.v[i]->name, names[i]);
    test_files_fini(&files);
    tree_unref(t);
    env.scripts_dir = NULL;
    assert_non_null(t = tree_read(&e));
    assert_int_equal(test_files_of(&files, t, &e), 0);
    assert_int_equal(files.n, 4); /* a, b, c, p/e */
    test_files_fini(&files);
    tree_unref(t);
    env.scripts_dir = overlay;
    env.shipped_scripts_dir = real;
    nftw(shipped, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- a run ----------------------------------------------------------------------------------- */

/* What wait() waits for, until a test here lets it go on. */
static struct op *waiting;

static struct seen {
    char results[2000]; /* a line each: name, and the failure if there is one */
    unsigned passed, failed, ends;
} seen;

static void wait_cancel(struct op *op) {
    (void)op;
    waiting = NULL;
}

static int l_wait_finish(lua_State *L, int status, lua_KContext ctx) {
    (void)L;
    (void)status;
    op_close((struct op *)ctx);
    return 0;
}

static int l_wait(lua_State *L) {
    task_check(L);
    waiting = op_new(L, sizeof(struct op), wait_cancel, NULL);
    return op_wait(L, waiting, l_wait_finish);
}

static void on_left(lua_State *co, int status, int nres, const char *trace, void *arg) {
    (void)co;
    (void)status;
    (void)nres;
    (void)trace;
    (void)arg;
}

/* leave(f): run f as a task that nobody waits for */
static int l_leave(lua_State *L) {
    lua_State *from = gen_state(gen_of(L));

    lua_settop(L, 1);
    lua_xmove(L, from, 1);
    task_start(gen_of(L), from, 0, 0, NULL, on_left, NULL);
    return 0;
}

static struct tree *tree; /* of the run */

/* A generation where require "unit" has both. */
static struct gen *load(void *arg, struct err *e) {
    static const luaL_Reg functions[] = {{"wait", l_wait}, {"leave", l_leave}, {NULL, NULL}};
    struct gen *g = gen_load_scratch(tree, e);
    lua_State *L;

    (void)arg;
    assert_non_null(g);
    L = gen_state(g);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "paraph.loaded");
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "unit");
    lua_pop(L, 1);
    return g;
}

static void on_result(const struct test_result *r, void *arg) {
    struct seen *s = arg;
    size_t n = strlen(s->results);

    snprintf(s->results + n, sizeof(s->results) - n, "%s:%u: %s: %s\n", r->file, r->line,
             r->name != NULL ? r->name : "", r->failure != NULL ? r->failure : "ok");
}

static void on_end(unsigned passed, unsigned failed, void *arg) {
    struct seen *s = arg;

    s->passed = passed;
    s->failed = failed;
    s->ends++;
}

static char a_test[] = "a_test.lua";
static const struct tree_file *file;
static const struct test_files one_file = {&file, 1};

/* Start a run of this one file. */
static struct test_run *start(const char *text) {
    const struct test_plan plan = {
        .files = &one_file, .load = load, .on_result = on_result, .on_end = on_end, .arg = &seen};
    struct test_run *run;
    struct err e;

    seen = (struct seen){0};
    waiting = NULL;
    put(overlay, a_test, text);
    tree_unref(tree);
    assert_non_null(tree = tree_read(&e));
    assert_non_null(file = tree_find(tree, TREE_SCRIPTS, a_test));
    run = test_run_start(&plan, &e);
    assert_non_null(run);
    return run;
}

/* As the loop does it, until nothing is left to do without waiting. */
static void go_on(void) {
    while (task_run_ready() || test_run_turn())
        ;
}

static void test_one_step_a_turn(void **state) {
    unsigned turns = 0;

    (void)state;
    start("return { a = function() end, b = function() error('no') end, c = function() end }");
    while (test_run_turn()) {
        (void)task_run_ready();
        turns++;
    }
    assert_string_equal(seen.results, "a_test.lua:1: a: ok\n"
                                      "a_test.lua:1: b: no\n"
                                      "a_test.lua:1: c: ok\n");
    assert_int_equal(seen.passed, 2);
    assert_int_equal(seen.failed, 1);
    assert_int_equal(seen.ends, 1);
    assert_int_equal(turns, 1 + 3 * 2 + 1 + 1); /* the file; begin and end of each; close; end */
}

static void test_waits_for_others(void **state) {
    (void)state;
    start("return { a = function() require('unit').wait() end }");
    go_on();
    assert_non_null(waiting);
    assert_string_equal(seen.results, "");
    op_ready(waiting, NULL);
    go_on();
    assert_string_equal(seen.results, "a_test.lua:1: a: ok\n");
    assert_int_equal(seen.ends, 1);
}

/* What was left is freed when it ends, with its generation. */
static void test_left_behind(void **state) {
    (void)state;
    start("local unit = require 'unit'\n"
          "return { a = function() unit.leave(unit.wait) end }");
    go_on();
    assert_string_equal(seen.results,
                        "a_test.lua:2: a: left behind: 0 operations, 0 transfers, 1 tasks\n");
    assert_int_equal(seen.ends, 1);
    assert_int_equal(task_count(), 1);
    op_ready(waiting, NULL);
    go_on();
    assert_int_equal(task_count(), 0);
    assert_int_equal(op_count(), 0);
}

static void test_cancel(void **state) {
    struct test_run *run;

    (void)state;
    run = start("return { a = function() require('unit').wait() end, b = function() end }");
    go_on();
    assert_int_equal(task_count(), 1);
    test_run_cancel(&run);
    assert_null(run);
    assert_int_equal(task_count(), 0);
    assert_int_equal(op_count(), 0);
    assert_false(test_run_turn());
    assert_string_equal(seen.results, "");
    assert_int_equal(seen.ends, 0);
    test_run_cancel(&run);
}

static void test_one_at_a_time(void **state) {
    const struct test_plan plan = {.files = &one_file, .load = load};
    struct test_run *run;
    struct err e;

    (void)state;
    run = start("return { a = function() end }");
    assert_null(test_run_start(&plan, &e));
    assert_int_equal(e.code, ERR_IN_PROGRESS);
    test_run_cancel(&run);
}

/* Neither store.c nor mail.c was made ready here: what is written and sent stays in the scratch. */
static void test_no_backend(void **state) {
    (void)state;
    start("local store, testing = require 'paraph.store', require 'paraph.testing'\n"
          "return {\n"
          "  a = function() assert(store.create('c', 'a', {})) end,\n"
          "  b = function()\n"
          "    local world = testing.world()\n"
          "    assert(store.get('c', 'a') == nil)\n"
          "    local reply = world.request('POST', '/', { to = 'ann@example.com', subject = 'x',\n"
          "      message = 'x', mode = 'send' }, { caller = { name = 'crm' } })\n"
          "    assert(reply.status == 200 and #world.sent == 1, reply.body)\n"
          "    assert(not pcall(testing.read_file, 'a_test.lua'))\n"
          "  end,\n"
          "}");
    go_on();
    assert_string_equal(seen.results, "a_test.lua:3: a: ok\na_test.lua:4: b: ok\n");
}

static int setup(void **state) {
    (void)state;
    log_init(LOG_ERROR, false);
    env = (struct env){.allowed_senders = "",
                       .draft_collection = "drafts",
                       .pixel_collection = "opens",
                       .pixel_base_url = "http://127.0.0.1",
                       .scripts_dir = overlay,
                       .shipped_scripts_dir = TESTS_DIR "/../scripts",
                       .shipped_templates_dir = TESTS_DIR "/../templates",
                       .role = ENV_TRACKER, /* what this service is set to is no matter of tests */
                       .no_send = true,
                       .request_timeout = 60};
    return mkdtemp(overlay) == NULL || loop_init() != 0;
}

static int teardown(void **state) {
    (void)state;
    nftw(overlay, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return loop_fini();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_served),           cmocka_unit_test(test_one_step_a_turn),
        cmocka_unit_test(test_waits_for_others), cmocka_unit_test(test_left_behind),
        cmocka_unit_test(test_cancel),           cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_no_backend),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
