#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "command_host.h"
#include "excerpt.h"
#include "gen.h"
#include "loop.h"
#include "lua_blob.h"
#include "role.h"
#include "scratch.h"
#include "services.h"
#include "task.h"
#include "tree.h"
#include "usage.h"

struct run {
    const struct command *command;
    struct gen *gen;
    struct task *task; /* NULL: not started, or ended */
    bool ended;
    int status;
    int interrupted; /* the signal; 0: none */
};

static int complain(const struct run *r, const char *sentence) {
    fprintf(stderr, "paraph %s: %s\n", r->command->name, sentence);
    return 1;
}

/* An error of a script, with the line that it is about. */
static void complain_of_script(const struct run *r, const char *error, const struct tree *t) {
    struct buf text;

    buf_init(&text, 64 * KIB);
    excerpt_add(&text, t, error);
    complain(r, text.data);
    buf_free(&text);
}

/* --- what comes of it ------------------------------------------------------------------------ */

/* A reader that has seen enough is no failure to speak of. */
static int write_out(const struct run *r, lua_State *L, int idx) {
    struct blob *blob = lua_blob_test(L, idx);
    size_t n = 0;
    const char *text = lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &n) : NULL;

    if (blob != NULL) {
        text = blob->data;
        n = blob->len;
    }
    if ((n == 0 || fwrite(text, 1, n, stdout) == n) && fflush(stdout) == 0)
        return 0;
    if (errno != EPIPE)
        complain(r, strerror(errno));
    return 1;
}

/* status, out, err.  Nothing here can raise, since it is not protected. */
static void tell(struct run *r, lua_State *co, int first) {
    const char *err = lua_type(co, first + 2) == LUA_TSTRING ? lua_tostring(co, first + 2) : NULL;

    r->status = lua_isinteger(co, first) ? (int)lua_tointeger(co, first) : 1;
    if (write_out(r, co, first + 1) != 0)
        r->status = 1;
    if (err != NULL)
        complain(r, err);
}

static void on_ended(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct run *r = arg;

    r->task = NULL;
    r->ended = true;
    r->status = 1;
    if (status != LUA_OK)
        complain_of_script(r, trace, gen_tree(r->gen));
    else if (!lua_checkstack(co, LUA_MINSTACK))
        complain(r, "not enough memory");
    else
        tell(r, co, lua_gettop(co) - nres + 1);
    loop_stop();
}

/* --- running it ------------------------------------------------------------------------------ */

static void on_signal(struct run *r, int signum) {
    struct err e;

    if (r->interrupted != 0) /* again: at once */
        _exit(128 + signum);
    r->interrupted = signum;
    err_set(&e, ERR_CANCELLED, "interrupted");
    if (r->task != NULL)
        task_abort(r->task, &e);
}

static void on_interrupt(void *arg) {
    on_signal(arg, SIGINT);
}

static void on_terminate(void *arg) {
    on_signal(arg, SIGTERM);
}

/* Run what is at the top of the stack: the function, and what it is to do. */
static void run_task(struct run *r) {
    static const struct task_owner owner = {"command", "command line", "command",
                                            NULL,      ROLE_ALL,       NULL};
    struct task *task;

    if (loop_on_signal(SIGINT, on_interrupt, r) != 0 ||
        loop_on_signal(SIGTERM, on_terminate, r) != 0) {
        r->status = complain(r, "signals cannot be watched");
        return;
    }
    task = task_start(r->gen, gen_state(r->gen), 1, 0, &owner, on_ended, r);
    if (!r->ended)
        r->task = task;
    while (!r->ended)
        loop_run();
    while (task_run_ready()) /* whatever it started, and did not wait for */
        ;
    if (r->interrupted != 0)
        r->status = 128 + r->interrupted;
}

static int run_with_services(struct run *r) {
    const char *step;
    struct err e;

    if ((r->command->only_reads && services_need_store(&e) != 0) || services_init(&step, &e) != 0)
        return complain(r, e.message);
    run_task(r);
    gen_drop(r->gen);
    r->gen = NULL;
    services_fini();
    return r->status;
}

/* --- what is to be done ---------------------------------------------------------------------- */

/* command -> run, work; or nil, sentence */
static int l_read(lua_State *L) {
    const struct command *c = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_getglobal(L, "require");
    lua_pushfstring(L, "commands.%s", c->name);
    lua_call(L, 1, 1);
    lua_getfield(L, 1, "run");
    lua_getfield(L, 1, "read");
    lua_createtable(L, c->n, 0);
    for (int i = 0; i < c->n; i++) {
        lua_pushstring(L, c->arguments[i]);
        lua_rawseti(L, -2, i + 1);
    }
    command_host_push(L);
    lua_call(L, 2, 2);
    if (lua_isnil(L, 3))
        return 2;
    lua_settop(L, 3);
    return 2;
}

/* 0: the function and what it is to do are at the top of the stack; else the exit code. */
static int read_arguments(const struct run *r) {
    lua_State *L = gen_state(r->gen);

    lua_pushcfunction(L, l_read);
    lua_pushlightuserdata(L, (void *)(uintptr_t)r->command);
    if (task_pcall(r->gen, L, 1, 2) != LUA_OK) {
        complain_of_script(r, lua_tostring(L, -1), gen_tree(r->gen));
        return 1;
    }
    if (!lua_isnil(L, -2))
        return 0;
    return usage_wrong(r->command->name, "%s", lua_tostring(L, -1));
}

/* In the world that it is for; the generation alone holds it. */
static struct gen *load_in_world(const struct command *c, struct tree *tree, struct err *e) {
    struct scratch *world = NULL;
    struct gen *g = NULL;

    if (c->rehearse && (world = scratch_new_rehearsal()) == NULL)
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory");
    else
        g = gen_load_in(tree, world, e);
    scratch_unref(world);
    return g;
}

static struct gen *load(const struct run *r) {
    struct err e;
    struct tree *tree = tree_read(&e);
    struct gen *g = tree != NULL ? load_in_world(r->command, tree, &e) : NULL;

    if (g == NULL)
        complain_of_script(r, e.message, tree);
    tree_unref(tree);
    return g;
}

int command_run(const struct command *c) {
    struct run r = {.command = c, .status = 1};

    signal(SIGPIPE, SIG_IGN);
    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_MS) != 0)
        return complain(&r, strerror(errno));
    loop_on_turn(task_run_ready);
    if ((r.gen = load(&r)) != NULL && (r.status = read_arguments(&r)) == 0)
        r.status = run_with_services(&r);
    if (r.gen != NULL)
        gen_drop(r.gen);
    task_watchdog_stop();
    loop_fini();
    return r.status;
}
