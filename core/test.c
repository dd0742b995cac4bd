#include "test.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "clock.h"
#include "env.h"
#include "fetch.h"
#include "gen.h"
#include "log.h"
#include "loop.h"
#include "lua_blob.h"
#include "mail.h"
#include "sandbox.h"
#include "store.h"
#include "task.h"
#include "tree.h"

#define SUFFIX      "_test.lua"
#define DEADLINE_MS 20000

static const char *root; /* of the tests */
static unsigned passed, failed;
static bool ended;
static char failure[4096]; /* of the test under way; "" so far */

/* --- paraph.testing: what only tests need ---------------------------------------------------- */

static int l_read_file(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    char path[PATH_MAX];
    luaL_Buffer b;
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    if ((f = fopen(path, "re")) == NULL)
        return luaL_error(L, "%s: %s", path, strerror(errno));
    luaL_buffinit(L, &b);
    do {
        char *to = luaL_prepbuffer(&b);

        n = fread(to, 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(&b, n);
    } while (n > 0);
    fclose(f);
    luaL_pushresult(&b);
    return 1;
}

static int l_blob(lua_State *L) {
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);

    lua_blob_push_copy(L, s, n);
    return 1;
}

/* To where the results go, not to the log. */
static int l_print(lua_State *L) {
    for (int i = 1, n = lua_gettop(L); i <= n; i++) {
        printf("%s%s", i > 1 ? "\t" : "     ", luaL_tolstring(L, i, NULL));
        lua_pop(L, 1);
    }
    printf("\n");
    return 0;
}

static void preload_testing(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"read_file", l_read_file}, {"blob", l_blob}, {NULL, NULL}};

    luaL_getsubtable(L, LUA_REGISTRYINDEX, "paraph.loaded");
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "paraph.testing");
    lua_pop(L, 1);
    lua_pushcfunction(L, l_print);
    sandbox_define(L, "print");
    sandbox_open_modules(L);
}

/* --- one test -------------------------------------------------------------------------------- */

static void on_done(lua_State *co, int status, int nres, const char *trace, void *arg) {
    (void)co;
    (void)nres;
    (void)arg;
    if (status != LUA_OK)
        snprintf(failure, sizeof(failure), "%s", trace);
    ended = true;
    loop_stop();
}

static void check_leaks(struct gen *g) {
    lua_gc(gen_state(g), LUA_GCCOLLECT);
    lua_gc(gen_state(g), LUA_GCCOLLECT);
    if (failure[0] == '\0' && (op_count() > 0 || fetch_count() > 0 || task_count() > 0))
        snprintf(failure, sizeof(failure), "left behind: %u operations, %u transfers, %u tasks",
                 op_count(), fetch_count(), task_count());
}

/* The function is at the top of the stack, and popped. */
static void run_test(struct gen *g, const char *file, const char *name) {
    static const struct task_owner owner = {"test", "test",
                                            GEN_DRAFT | GEN_SEND | GEN_REVIEW | GEN_OPS};
    uint64_t started = clock_monotonic_us();

    failure[0] = '\0';
    ended = false;
    task_start(g, gen_state(g), 0, DEADLINE_MS, &owner, on_done, NULL);
    while (!ended)
        loop_run();
    check_leaks(g);
    if (failure[0] == '\0') {
        passed++;
        printf("ok   %s: %s (%.1f ms)\n", file, name,
               (double)(clock_monotonic_us() - started) / 1000);
        return;
    }
    failed++;
    printf("FAIL %s: %s\n     %s\n", file, name, failure);
}

/* --- one file -------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The table of tests is at the top of the stack. */
static void run_table(struct gen *g, const char *file) {
    lua_State *L = gen_state(g);
    const char *names[500];
    size_t n = 0;

    for (lua_pushnil(L); lua_next(L, -2) != 0 && n < COUNT_OF(names); lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1))
            names[n++] = lua_tostring(L, -2);
    qsort(names, n, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < n; i++) {
        lua_getfield(L, -1, names[i]);
        run_test(g, file, names[i]);
    }
    if (n == 0) {
        failed++;
        printf("FAIL %s: it returns no tests\n", file);
    }
}

static void run_file(struct tree *tree, const struct tree_file *f) {
    const char *file = f->name, *why = NULL;
    struct err e;
    struct gen *g = gen_load_bare(tree, &e);
    lua_State *L;

    if (g == NULL) {
        failed++;
        printf("FAIL %s: %s\n", file, e.message);
        return;
    }
    L = gen_state(g);
    preload_testing(L);
    if (sandbox_load(L, f) != LUA_OK || task_pcall(g, L, 0, 1) != LUA_OK)
        why = lua_tostring(L, -1);
    else if (!lua_istable(L, -1))
        why = "it returns no table of tests";
    if (why != NULL) {
        failed++;
        printf("FAIL %s: %s\n", file, why);
    } else {
        run_table(g, file);
    }
    gen_drop(g);
}

/* --- all ------------------------------------------------------------------------------------- */

static bool is_test(const struct tree_file *f) {
    size_t n = strlen(f->name);

    return f->kind == TREE_SCRIPTS && f->shipped == (env.scripts_dir == NULL) &&
           n > strlen(SUFFIX) && strcmp(f->name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static int run_files(void) {
    struct err e;
    struct tree *tree = tree_read(&e);
    const struct tree_file *files;
    size_t n;

    if (tree == NULL) {
        fprintf(stderr, "paraph test: %s\n", e.message);
        return 2;
    }
    files = tree_files(tree, &n);
    for (size_t i = 0; i < n; i++)
        if (is_test(&files[i]))
            run_file(tree, &files[i]);
    tree_unref(tree);
    if (passed + failed == 0) {
        fprintf(stderr, "paraph test: there is no *" SUFFIX " below %s\n", root);
        return 2;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

static void remove_tree(char *dir) {
    char *roots[] = {dir, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *f;

    while (fts != NULL && (f = fts_read(fts)) != NULL)
        if (f->fts_info != FTS_D)
            (void)remove(f->fts_path);
    if (fts != NULL)
        fts_close(fts);
}

static int run_with_services(void) {
    struct err e = {0};
    int status = 1;

    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_TEST_MS) != 0) {
        fprintf(stderr, "paraph test: %s\n", strerror(errno));
        return 1;
    }
    loop_on_turn(task_run_ready);
    if (fetch_init(&e) == 0) {
        if (store_init(&e) == 0) {
            if (mail_init(&e) == 0) {
                status = run_files();
                mail_fini();
            }
            store_fini();
        }
        fetch_fini();
    }
    if (e.code != ERR_NONE)
        fprintf(stderr, "paraph test: %s\n", e.message);
    task_watchdog_stop();
    loop_fini();
    return status;
}

/* The tests must not depend on, nor touch, what the environment is set up for. */
static int load_env(const char *dir, const char *data) {
    struct buf faults;
    int status;

    setenv("BACKEND", "local", 1);
    setenv("DATA_DIR", data, 1);
    setenv("HOST", "127.0.0.1", 1);
    if (dir != NULL)
        setenv("SCRIPTS_DIR", dir, 1);
    unsetenv("K_SERVICE");
    unsetenv("AUTH");
    unsetenv("NO_SEND");
    buf_init(&faults, 64 * KIB);
    status = env_load(&faults);
    if (status != 0)
        fprintf(stderr, "%s", faults.data);
    buf_free(&faults);
    log_init(LOG_ERROR, false);
    return status;
}

int test_run(const char *dir) {
    char data[] = "/tmp/paraph-test-XXXXXX";
    int status = 2;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mkdtemp(data) == NULL) {
        fprintf(stderr, "paraph test: %s: %s\n", data, strerror(errno));
        return 1;
    }
    if (load_env(dir, data) == 0) {
        root = env.scripts_dir != NULL ? env.scripts_dir : env.shipped_scripts_dir;
        status = run_with_services();
    }
    remove_tree(data);
    return status;
}
