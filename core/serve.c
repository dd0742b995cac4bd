#include "serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attached.h"
#include "clock.h"
#include "confine.h"
#include "env.h"
#include "excerpt.h"
#include "fetch_late.h"
#include "gen.h"
#include "host.h"
#include "http.h"
#include "job.h"
#include "log.h"
#include "loop.h"
#include "measure.h"
#include "metrics.h"
#include "services.h"
#include "sqlite.h"
#include "task.h"
#include "test_run.h"
#include "tree.h"
#include "watch.h"

#define DRAIN_MS    10000
#define PAUSE_MIN_S 1 /* before a worker is replaced */
#define PAUSE_MAX_S 60

/* --- one process ----------------------------------------------------------------------------- */

static void on_terminate(void *arg) {
    (void)arg;
    host_drain(DRAIN_MS);
}

/* It asks for scripts, not for our end: until the loop listens, it waits. */
static void hold_reload(int how) {
    sigset_t reload;

    sigemptyset(&reload);
    sigaddset(&reload, SIGHUP);
    sigprocmask(how, &reload, NULL);
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void report(const char *step, const struct err *e) {
    LOG(LOG_ERROR, NULL, "cannot start", LOG_S("step", step), LOG_S("error", e->message));
}

static void report_scripts(const struct tree *tree, const struct err *e) {
    struct buf text;

    buf_init(&text, 64 * KIB);
    excerpt_add(&text, tree, e->message);
    LOG(LOG_ERROR, NULL, "cannot start", LOG_S("step", "scripts"), LOG_L("error", text.data));
    buf_free(&text);
}

/* The first generation; it alone holds the tree then. */
static struct gen *load(struct tree **tree) {
    struct err e;
    struct gen *g = gen_load(*tree, &e);

    if (g == NULL)
        report_scripts(*tree, &e);
    tree_unref(*tree);
    *tree = NULL;
    return g;
}

static void log_ready(void) {
    LOG(LOG_INFO, NULL, "ready", LOG_S("version", PARAPH_VERSION), LOG_I("pid", getpid()),
        LOG_S("host", env.host), LOG_I("port", env.port),
        LOG_S("backend", env.backend == ENV_GOOGLE ? "google" : "local"),
        LOG_S("data_dir", env.backend == ENV_LOCAL ? env.data_dir : NULL), LOG_S("auth", env.auth),
        LOG_B("no_send", env.no_send), LOG_I("generation", gen_number(gen_live())));
}

static int serve_requests(void) {
    struct err e;

    loop_on_turn(task_run_ready);
    loop_on_turn(test_run_turn);
    if (host_init(&e) != 0) {
        report("http", &e);
        return 1;
    }
    if (loop_on_signal(SIGTERM, on_terminate, NULL) != 0 ||
        loop_on_signal(SIGINT, on_terminate, NULL) != 0 ||
        loop_on_signal(SIGHUP, watch_reload, NULL) != 0)
        LOG(LOG_WARNING, NULL, "signals are not watched");
    else
        hold_reload(SIG_UNBLOCK);
    measure_now();
    metrics_serve();
    log_ready();
    job_sync();
    watch_init();
    loop_run();
    watch_fini();
    host_fini();
    attached_fini();
    job_fini();
    return 0;
}

/* Every request goes to Google: what that takes is loaded on a thread, while we load the scripts.
 */
static void open_fetch(void *arg) {
    struct err e;

    (void)arg;
    (void)fetch_late_open(&e); /* can_fetch() is told, too */
}

static void forget(void *arg) {
    (void)arg;
}

static void open_fetch_beside(void) {
    if (env.backend == ENV_GOOGLE)
        (void)loop_work_start(open_fetch, forget, forget, NULL);
}

static bool can_fetch(void) {
    struct err e;

    if (env.backend != ENV_GOOGLE || fetch_late_open(&e) == 0)
        return true;
    report("fetch", &e);
    return false;
}

static int run(struct tree **tree) {
    int status = 1;
    const char *step;
    struct err e;
    struct gen *g;

    if (services_init(&step, &e) != 0) {
        report(step, &e);
        return 1;
    }
    if ((g = load(tree)) != NULL) {
        gen_swap(g);
        status = can_fetch() ? serve_requests() : 1;
        gen_swap(NULL);
    }
    services_fini();
    return status;
}

/* What the process may do is settled as soon as it can be: what follows happens within it. */
static struct tree *confine(void) {
    struct err e;
    struct tree *tree;

    if (env.backend == ENV_LOCAL && sqlite_make_dir(&e) != 0) {
        report("store", &e);
        return NULL;
    }
    if ((tree = tree_read(&e)) == NULL)
        report_scripts(NULL, &e);
    else
        confine_server(tree);
    return tree;
}

static int serve_tree(struct tree **tree) {
    int status;

    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_MS) != 0) {
        LOG(LOG_ERROR, NULL, "cannot start", LOG_S("error", strerror(errno)));
        return 1;
    }
    open_fetch_beside();
    status = run(tree);
    task_watchdog_stop();
    if (loop_fini() != 0)
        LOG(LOG_WARNING, NULL, "shutdown: something was still open");
    if (status == 0)
        LOG(LOG_INFO, NULL, "stopped");
    return status;
}

static int serve_here(unsigned worker) {
    struct err e;
    uint16_t port = env.port;
    struct tree *tree;
    int status;

    if (http_listen(env.host, &port, env.workers > 1, &e) != 0) {
        report("listen", &e);
        return 1;
    }
    env_bound(port);
    metrics_join(worker);
    measure_init();
    if ((tree = confine()) == NULL)
        return 1;
    status = serve_tree(&tree);
    tree_unref(tree);
    return status;
}

/* --- several: they share the port, the parent only watches ----------------------------------- */

struct crew {
    pid_t workers[64]; /* 0: has ended */
    unsigned left;
    unsigned pause_s; /* before those that have ended are replaced */
    uint64_t due_ms;  /* when they are; 0: none has */
    bool stopping;
    int status; /* the exit code */
};

static sigset_t watched; /* by the parent, which takes them one after the other */
static sigset_t before;  /* what was blocked before that */

static void watch_signals(void) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

    sigemptyset(&watched);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        sigaddset(&watched, signals[i]);
    signal(SIGCHLD, SIG_DFL); /* whoever ignores it never sees a child end */
    sigprocmask(SIG_BLOCK, &watched, &before);
}

static pid_t spawn(unsigned worker) {
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    sigprocmask(SIG_SETMASK, &before, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    _exit(serve_here(worker));
}

static void pass_on(const struct crew *c, int signum) {
    for (unsigned i = 0; i < env.workers; i++)
        if (c->workers[i] > 0)
            kill(c->workers[i], signum);
}

static void stop(struct crew *c, int signum) {
    c->stopping = true;
    c->due_ms = 0;
    pass_on(c, signum);
}

static void give_up(struct crew *c, int status) {
    c->status = status;
    stop(c, SIGTERM);
}

static void replace_later(struct crew *c) {
    if (c->due_ms == 0)
        c->due_ms = clock_monotonic_ms() + c->pause_s * 1000ULL;
}

/* Where it fails and others serve, it is tried again; where none does, another would fare no
 * better. */
static void start_worker(struct crew *c, unsigned i) {
    pid_t pid = spawn(i);

    if (pid > 0) {
        c->workers[i] = pid;
        c->left++;
        return;
    }
    LOG(LOG_ERROR, NULL, "cannot start", LOG_S("error", strerror(errno)));
    if (metrics_serving())
        replace_later(c);
    else
        give_up(c, 1);
}

/* All that are missing.  The next ones that cannot even start are given longer. */
static void start_workers(struct crew *c) {
    c->due_ms = 0;
    for (unsigned i = 0; i < env.workers && !c->stopping; i++)
        if (c->workers[i] == 0)
            start_worker(c, i);
    c->pause_s = c->pause_s < PAUSE_MAX_S / 2 ? 2 * c->pause_s : PAUSE_MAX_S;
}

/* A worker that ended is replaced, until we are told to stop, or none serves and one cannot even
 * start. */
static void on_worker_end(struct crew *c, pid_t pid, int status) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    unsigned i = 0;

    while (i < env.workers && c->workers[i] != pid)
        i++;
    if (i == env.workers)
        return;
    c->workers[i] = 0;
    c->left--;
    if (metrics_left(i))
        c->pause_s = PAUSE_MIN_S;
    if (code != 0 && (c->stopping || !metrics_serving()))
        give_up(c, code);
    if (c->stopping)
        return;
    replace_later(c);
    LOG(LOG_ERROR, NULL, "a worker has died and is replaced", LOG_I("pid", pid),
        LOG_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0), LOG_I("in_s", c->pause_s));
    METRICS_COUNT(METRIC_WORKER_RESTARTS);
}

/* 0: those that have ended are due, or nothing has happened. */
static int next_signal(const struct crew *c) {
    uint64_t now_ms = clock_monotonic_ms(), left_ms = c->due_ms > now_ms ? c->due_ms - now_ms : 0;
    struct timespec pause = {(time_t)(left_ms / 1000), (long)(left_ms % 1000 * 1000000)};
    int signum = sigtimedwait(&watched, NULL, c->due_ms != 0 ? &pause : NULL);

    return signum > 0 ? signum : 0;
}

static void supervise(struct crew *c) {
    int signum, status;
    pid_t pid;

    while (c->left > 0 || !c->stopping) {
        signum = next_signal(c);
        if (signum == SIGHUP)
            pass_on(c, signum);
        else if (signum != 0 && signum != SIGCHLD)
            stop(c, signum);
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            on_worker_end(c, pid, status);
        if (c->due_ms != 0 && clock_monotonic_ms() >= c->due_ms)
            start_workers(c);
    }
}

static int serve_workers(void) {
    struct crew crew = {.pause_s = PAUSE_MIN_S};
    struct err e;
    uint16_t port = env.port;

    if (http_probe(env.host, &port, &e) != 0) {
        report("listen", &e);
        return 1;
    }
    env_bound(port);
    watch_signals();
    start_workers(&crew);
    supervise(&crew);
    return crew.status;
}

int serve(void) {
    struct err e;

    signal(SIGPIPE, SIG_IGN);
    hold_reload(SIG_BLOCK);
    raise_descriptor_limit();
    confine_process();
    if (metrics_init(env.workers, &e) != 0) {
        report("metrics", &e);
        return 1;
    }
    return env.workers > 1 ? serve_workers() : serve_here(0);
}
