#include "serve.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth.h"
#include "env.h"
#include "fetch.h"
#include "gen.h"
#include "host.h"
#include "http.h"
#include "job.h"
#include "log.h"
#include "loop.h"
#include "mail.h"
#include "store.h"
#include "task.h"

#define DRAIN_MS        10000
#define RESPAWN_PAUSE_S 1

/* --- one process ----------------------------------------------------------------------------- */

static void on_hangup(void *arg) {
    struct err e;
    struct gen *g = gen_load(&e);

    (void)arg;
    if (g == NULL) {
        LOG(LOG_ERROR, NULL, "reload refused, the scripts loaded before go on serving", LOG_E(&e));
        return;
    }
    gen_swap(g);
    job_sync();
    LOG(LOG_INFO, NULL, "scripts reloaded", LOG_I("generation", gen_number(g)));
}

static void on_terminate(void *arg) {
    (void)arg;
    host_drain(DRAIN_MS);
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

static void log_ready(void) {
    LOG(LOG_INFO, NULL, "ready", LOG_S("version", PARAPH_VERSION), LOG_S("host", env.host),
        LOG_I("port", env.port), LOG_S("backend", env.backend == ENV_GOOGLE ? "google" : "local"),
        LOG_S("data_dir", env.backend == ENV_LOCAL ? env.data_dir : NULL), LOG_S("auth", env.auth),
        LOG_B("no_send", env.no_send), LOG_I("generation", gen_number(gen_live())));
}

static int run(void) {
    struct err e;
    struct gen *g;

    if (fetch_init(&e) != 0) {
        report("fetch", &e);
        return 1;
    }
    if (auth_init(&e) != 0) {
        report("credentials", &e);
        goto no_auth;
    }
    if (store_init(&e) != 0) {
        report("store", &e);
        goto no_store;
    }
    if (mail_init(&e) != 0) {
        report("mail", &e);
        goto no_mail;
    }
    if ((g = gen_load(&e)) == NULL) {
        report("scripts", &e);
        goto no_scripts;
    }
    gen_swap(g);
    loop_on_turn(task_run_ready);
    if (host_init(&e) != 0) {
        report("http", &e);
        goto no_host;
    }
    if (loop_on_signal(SIGTERM, on_terminate, NULL) != 0 ||
        loop_on_signal(SIGINT, on_terminate, NULL) != 0 ||
        loop_on_signal(SIGHUP, on_hangup, NULL) != 0)
        LOG(LOG_WARNING, NULL, "signals are not watched");
    log_ready();
    job_sync();
    loop_run();
    host_fini();
    job_fini();
    gen_swap(NULL);
    mail_fini();
    store_fini();
    auth_fini();
    fetch_fini();
    return 0;
no_host:
    gen_swap(NULL);
no_scripts:
    mail_fini();
no_mail:
    store_fini();
no_store:
    auth_fini();
no_auth:
    fetch_fini();
    return 1;
}

static int serve_here(void) {
    struct err e;
    uint16_t port = env.port;
    int status;

    if (http_listen(env.host, &port, env.workers > 1, &e) != 0) {
        report("listen", &e);
        return 1;
    }
    env_bound(port);
    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_MS) != 0) {
        LOG(LOG_ERROR, NULL, "cannot start", LOG_S("error", strerror(errno)));
        return 1;
    }
    status = run();
    task_watchdog_stop();
    if (loop_fini() != 0)
        LOG(LOG_WARNING, NULL, "shutdown: something was still open");
    if (status == 0)
        LOG(LOG_INFO, NULL, "stopped");
    return status;
}

/* --- several: they share the port, the parent only watches ----------------------------------- */

static volatile sig_atomic_t received;

static void on_parent_signal(int signum) {
    received = signum;
}

static pid_t spawn(void) {
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    _exit(serve_here());
}

static void pass_on(const pid_t *workers, int signum) {
    for (unsigned i = 0; i < env.workers; i++)
        if (workers[i] > 0)
            kill(workers[i], signum);
}

/* A worker that ended is replaced, until we are told to stop or one cannot even start. */
static int supervise(pid_t *workers) {
    unsigned left = env.workers;
    bool stopping = false;
    int worst = 0, status;
    pid_t pid;

    while (left > 0) {
        if (received != 0) {
            stopping |= received != SIGHUP;
            pass_on(workers, received);
            received = 0;
        }
        if ((pid = wait(&status)) < 0)
            continue; /* a signal */
        for (unsigned i = 0; i < env.workers; i++) {
            if (workers[i] != pid)
                continue;
            workers[i] = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
                worst = WEXITSTATUS(status);
                stopping = true;
                pass_on(workers, SIGTERM);
            }
            if (stopping) {
                left--;
                continue;
            }
            LOG(LOG_ERROR, NULL, "a worker has died and is replaced", LOG_I("pid", pid),
                LOG_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
            sleep(RESPAWN_PAUSE_S);
            workers[i] = spawn();
        }
    }
    return worst;
}

static int serve_workers(void) {
    struct sigaction action = {.sa_handler = on_parent_signal};
    pid_t workers[64] = {0};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    for (unsigned i = 0; i < env.workers; i++)
        if ((workers[i] = spawn()) < 0) {
            LOG(LOG_ERROR, NULL, "cannot start", LOG_S("error", strerror(errno)));
            pass_on(workers, SIGTERM);
            return 1;
        }
    return supervise(workers);
}

int serve(void) {
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    return env.workers > 1 ? serve_workers() : serve_here();
}
