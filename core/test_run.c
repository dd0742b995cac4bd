#include "test_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "clock.h"
#include "fetch.h"
#include "loop.h"
#include "lua_testing.h"
#include "role.h"
#include "sandbox.h"
#include "scratch.h"
#include "task.h"
#include "terminal.h"
#include "tree.h"

#define CHAIN       "\nstack traceback:\n"
#define DEADLINE_MS 20000
#define WAKES_MAX   10000 /* of a test in a scratch: whoever sleeps as often as that never ends */

struct test_run {
    struct test_plan plan;
    size_t file;         /* whose tests are run, or the next to be */
    struct gen *gen;     /* of that file, or NULL */
    int testing;         /* registry reference: the module paraph.testing */
    int tests;           /* registry reference: the list of {name =, run =} */
    size_t ntests, test; /* how many; the one under way, or the next */

    /* The test under way. */
    bool begun, ended, overdue;
    struct task *task;
    struct loop_timer *guard;
    unsigned wakes;
    const char *name; /* the list keeps it */
    uint64_t started_us;
    char failure[1024];
    unsigned line;
    char trace[4096];

    unsigned passed, failed;
};

static struct test_run *current;

/* --- what failed, and where ------------------------------------------------------------------ */

static const char *file_name(const struct test_run *r) {
    return r->plan.files->v[r->file]->name;
}

/* "policy/review_test.lua:31: got …": the line, and the rest in *text; 0: it begins otherwise. */
static unsigned read_line(const struct test_run *r, const char **text) {
    size_t n = strlen(file_name(r));
    unsigned long line;
    char *end;

    if (strncmp(*text, file_name(r), n) != 0 || (*text)[n] != ':')
        return 0;
    line = strtoul(*text + n + 1, &end, 10);
    if (line == 0 || strncmp(end, ": ", 2) != 0)
        return 0;
    *text = end + 2;
    return (unsigned)line;
}

/* The innermost line of the test file in a chain of calls; 0: it is not there. */
static unsigned find_line(const struct test_run *r, const char *trace) {
    const char *calls = strstr(trace, CHAIN);
    size_t n = strlen(file_name(r));

    while (calls != NULL && (calls = strstr(calls, file_name(r))) != NULL) {
        calls += n;
        if (*calls == ':')
            return (unsigned)strtoul(calls + 1, NULL, 10);
    }
    return 0;
}

/* Split a text with its chain of calls: the text becomes one line, `line` the place it names. */
static void note_failure(struct test_run *r, const char *text) {
    const char *calls = strstr(text, CHAIN), *end;
    unsigned line = read_line(r, &text);
    size_t n = 0;

    if (line != 0)
        r->line = line;
    end = calls != NULL ? calls : text + strlen(text);
    for (; text < end && n + 3 < sizeof(r->failure); text++) {
        if (*text == '\n')
            r->failure[n++] = '\\';
        r->failure[n++] = (char)(*text == '\n' ? 'n' : *text);
    }
    r->failure[n] = '\0';
    snprintf(r->trace, sizeof(r->trace), "%s", calls != NULL ? calls + strlen(CHAIN) : "");
}

static void report(struct test_run *r, const char *name, double ms) {
    struct test_result result = {file_name(r), name, NULL, r->line, r->trace, ms};

    if (r->failure[0] != '\0')
        result.failure = r->failure;
    if (result.failure == NULL)
        r->passed++;
    else
        r->failed++;
    r->plan.on_result(&result, r->plan.arg);
}

static void forget(struct test_run *r) {
    r->failure[0] = r->trace[0] = '\0';
    r->line = 0;
    r->begun = r->ended = r->overdue = false;
    r->task = NULL;
    r->wakes = 0;
}

/* --- a file ---------------------------------------------------------------------------------- */

/* Not to the log. */
static int l_print(lua_State *L) {
    FILE *to = lua_touserdata(L, lua_upvalueindex(1));

    terminal_clear();
    for (int i = 1, n = lua_gettop(L); i <= n; i++) {
        fprintf(to, "%s%s", i > 1 ? "\t" : "     ", luaL_tolstring(L, i, NULL));
        lua_pop(L, 1);
    }
    fprintf(to, "\n");
    return 0;
}

/* run -> the module paraph.testing, the list of tests */
static int l_open(lua_State *L) {
    const struct test_run *r = lua_touserdata(L, 1);

    sandbox_open_modules(L);
    if (r->plan.prints != NULL) {
        lua_pushlightuserdata(L, r->plan.prints);
        lua_pushcclosure(L, l_print, 1);
        sandbox_define(L, "print");
    }
    lua_testing_load(L, r->plan.root);
    lua_pushvalue(L, -1);
    if (lua_getfield(L, -1, "list") != LUA_TFUNCTION)
        return luaL_error(L, "lib/testing.lua: there is no function 'list'");
    if (sandbox_load(L, r->plan.files->v[r->file]) != LUA_OK)
        lua_error(L);
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "it returns no table of tests");
    lua_call(L, 1, 1);
    if (lua_rawlen(L, -1) == 0)
        return luaL_error(L, "it returns no tests");
    return 2;
}

static void open_file(struct test_run *r) {
    struct err e;
    lua_State *L;

    forget(r);
    if ((r->gen = r->plan.load(r->plan.arg, &e)) == NULL) {
        note_failure(r, e.message);
        report(r, NULL, 0);
        r->file++;
        return;
    }
    L = gen_state(r->gen);
    lua_pushcfunction(L, l_open);
    lua_pushlightuserdata(L, r);
    r->test = r->ntests = 0;
    if (task_pcall(r->gen, L, 1, 2) == LUA_OK) {
        r->ntests = lua_rawlen(L, -1);
        r->tests = luaL_ref(L, LUA_REGISTRYINDEX);
        r->testing = luaL_ref(L, LUA_REGISTRYINDEX);
        return;
    }
    note_failure(r, lua_tostring(L, -1));
    lua_pop(L, 1);
    report(r, NULL, 0);
}

static void close_file(struct test_run *r) {
    gen_drop(r->gen);
    r->gen = NULL;
    r->file++;
}

/* --- a test ---------------------------------------------------------------------------------- */

static void on_done(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct test_run *r = arg;
    unsigned line;

    (void)co;
    (void)nres;
    r->ended = true;
    r->task = NULL;
    if (status != LUA_OK) {
        if ((line = find_line(r, trace)) != 0)
            r->line = line;
        note_failure(r, trace);
    }
    if (r->overdue)
        snprintf(r->failure, sizeof(r->failure), "it did not end in time");
}

static void on_overdue(void *arg) {
    struct test_run *r = arg;
    struct err e;

    loop_timer_stop(&r->guard);
    r->overdue = true;
    err_set(&e, ERR_TIMEOUT, "the test did not end in time");
    task_abort(r->task, &e);
}

/* The line at which the function at the top is defined, if that is in the test file. */
static unsigned first_line(const struct test_run *r, lua_State *L) {
    lua_Debug ar;

    lua_pushvalue(L, -1);
    lua_getinfo(L, ">S", &ar);
    return strcmp(ar.source + 1, file_name(r)) == 0 ? (unsigned)ar.linedefined : 0;
}

/* A fresh world: what tests before have changed is undone. */
static int l_begin(lua_State *L) {
    const struct test_run *r = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, r->testing);
    lua_getfield(L, -1, "begin");
    lua_call(L, 0, 0);
    return 0;
}

static bool prepare(struct test_run *r, lua_State *L) {
    lua_pushcfunction(L, l_begin);
    lua_pushlightuserdata(L, r);
    if (task_pcall(r->gen, L, 1, 0) == LUA_OK)
        return true;
    note_failure(r, lua_tostring(L, -1));
    lua_pop(L, 1);
    r->ended = true;
    return false;
}

/* Leave its function on the stack. */
static void push_test(struct test_run *r, lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, r->tests);
    lua_rawgeti(L, -1, (lua_Integer)r->test + 1);
    lua_getfield(L, -1, "name");
    r->name = lua_tostring(L, -1);
    lua_getfield(L, -2, "run");
    lua_replace(L, -4);
    lua_pop(L, 2);
    r->line = first_line(r, L);
}

static void begin_test(struct test_run *r) {
    static const struct task_owner owner = {"test", "test", "test", NULL, ROLE_ALL, NULL};
    lua_State *L = gen_state(r->gen);
    struct task *task;

    forget(r);
    push_test(r, L);
    r->begun = true;
    if (r->plan.on_begin != NULL)
        r->plan.on_begin(file_name(r), r->name, r->plan.arg);
    r->started_us = clock_monotonic_us();
    if (!prepare(r, L)) {
        lua_pop(L, 1);
        return;
    }
    task = task_start(r->gen, L, 0, 0, &owner, on_done, r);
    if (r->ended)
        return;
    r->task = task;
    r->guard = loop_timer_start(DEADLINE_MS, on_overdue, r);
}

static void check_leaks(struct test_run *r) {
    unsigned ops = 0, transfers = 0;

    lua_gc(gen_state(r->gen), LUA_GCCOLLECT);
    lua_gc(gen_state(r->gen), LUA_GCCOLLECT);
    if (r->plan.alone) {
        ops = op_count();
        transfers = fetch_count();
    }
    if (r->failure[0] == '\0' && ops + transfers + gen_tasks(r->gen) > 0)
        snprintf(r->failure, sizeof(r->failure),
                 "left behind: %u operations, %u transfers, %u tasks", ops, transfers,
                 gen_tasks(r->gen));
}

static void end_test(struct test_run *r) {
    double ms = (double)(clock_monotonic_us() - r->started_us) / 1000;

    loop_timer_stop(&r->guard);
    check_leaks(r);
    report(r, r->name, ms);
    r->begun = false;
    r->test++;
}

/* --- the run --------------------------------------------------------------------------------- */

struct test_run *test_run_start(const struct test_plan *plan, struct err *e) {
    if (current != NULL) {
        err_set(e, ERR_IN_PROGRESS, "tests are being run already");
        return NULL;
    }
    if ((current = calloc(1, sizeof(*current))) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the tests");
        return NULL;
    }
    current->plan = *plan;
    return current;
}

static void end_run(struct test_run *r) {
    struct test_run last = *r;

    current = NULL;
    free(r);
    last.plan.on_end(last.passed, last.failed, last.plan.arg);
}

/* Time passes for a test that only waits for it.  False if it waits for something else. */
static bool wake(struct test_run *r) {
    struct scratch *s = gen_scratch(gen_state(r->gen));

    if (s == NULL || !scratch_wake(s))
        return false;
    if (++r->wakes == WAKES_MAX)
        on_overdue(r);
    return true;
}

bool test_run_turn(void) {
    struct test_run *r = current;

    if (r == NULL)
        return false;
    if (r->begun && !r->ended)
        return task_are_ready() || wake(r);
    if (r->begun)
        end_test(r);
    else if (r->gen != NULL && r->test < r->ntests)
        begin_test(r);
    else if (r->gen != NULL)
        close_file(r);
    else if (r->file < r->plan.files->n)
        open_file(r);
    else
        end_run(r);
    return true;
}

void test_run_cancel(struct test_run **rp) {
    struct test_run *r = *rp;
    struct err e;

    if (r == NULL)
        return;
    *rp = current = NULL;
    err_set(&e, ERR_CANCELLED, "the tests are not needed any more");
    if (r->task != NULL)
        task_abort(r->task, &e);
    while (task_run_ready())
        ;
    loop_timer_stop(&r->guard);
    if (r->gen != NULL)
        gen_drop(r->gen);
    free(r);
}
