#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "clock.h"
#include "crypto.h"
#include "env.h"
#include "gen.h"
#include "log.h"
#include "loop.h"
#include "role.h"
#include "task.h"
#include "trace.h"

#define NEVER UINT64_MAX

struct job {
    struct job *next;
    struct loop_timer *timer; /* until it is due, or NULL */
    struct task *task;        /* runs, or NULL */
    uint64_t due_ms;          /* in loop_now_ms(); while it runs: as somebody wants it, or NEVER */
    unsigned every_ms;
    struct task_owner owner;
    uint64_t began_us;      /* its last run */
    struct log_trace trace; /* of each run its own */
    char id[64];            /* for the log, as the id of a request */
    char name[];
};

static struct job *jobs;
static bool stopping;

static bool is_ours(const struct gen_job *of) {
    return env.role == ENV_ALL || (env.role == ENV_TRACKER ? of->tracker : of->gateway);
}

/* The job of that name in the live generation; NULL: it is not there, or not ours. */
static const struct gen_job *find_live(const char *name) {
    size_t n;
    const struct gen_job *all = gen_jobs(gen_live(), &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].name, name) == 0 && is_ours(&all[i]))
            return &all[i];
    return NULL;
}

static struct job **find(const char *name) {
    struct job **at = &jobs;

    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void on_due(void *arg);

static void wait_until(struct job *job, uint64_t due_ms) {
    uint64_t now_ms = loop_now_ms();

    job->due_ms = due_ms;
    loop_timer_stop(&job->timer);
    job->timer = loop_timer_start(due_ms > now_ms ? due_ms - now_ms : 0, on_due, job);
}

static void on_ended(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct job *job = arg;
    uint64_t due_ms = loop_now_ms() + job->every_ms;

    (void)co;
    (void)nres;
    job->task = NULL;
    if (status != LUA_OK)
        LOG(LOG_ERROR, NULL, "policy error", LOG_S("job", job->name), LOG_S("error", trace));
    else
        LOG(LOG_DEBUG, NULL, "job done", LOG_S("job", job->name),
            LOG_N("ms", (double)(clock_monotonic_us() - job->began_us) / 1000));
    if (!stopping)
        wait_until(job, job->due_ms < due_ms ? job->due_ms : due_ms);
}

static void run(struct job *job, const struct gen_job *of) {
    struct gen *g = gen_live();
    char uuid[CRYPTO_UUID_SIZE];
    struct task *task;

    job->every_ms = of->every_ms;
    job->due_ms = NEVER;
    job->began_us = clock_monotonic_us();
    crypto_uuid4(uuid);
    trace_make(&job->trace, uuid);
    lua_rawgeti(gen_state(g), LUA_REGISTRYINDEX, of->run);
    task = task_start(g, gen_state(g), 0, 0, &job->owner, on_ended, job);
    if (job->timer == NULL) /* else it has ended already */
        job->task = task;
}

static void on_due(void *arg) {
    struct job *job = arg, **at = find(job->name);
    const struct gen_job *of = find_live(job->name);

    loop_timer_stop(&job->timer);
    if (of != NULL) {
        run(job, of);
        return;
    }
    *at = job->next;
    free(job);
}

static struct job *job_new(const char *name) {
    size_t n = strlen(name) + 1;
    struct job *job = calloc(1, sizeof(*job) + n);

    if (job == NULL)
        return NULL;
    memcpy(job->name, name, n);
    snprintf(job->id, sizeof(job->id), "job:%s", name);
    job->owner = (struct task_owner){job->id, "paraph", "job", NULL, ROLE_ALL, &job->trace};
    job->next = jobs;
    jobs = job;
    return job;
}

void job_sync(void) {
    size_t n;
    const struct gen_job *all = gen_jobs(gen_live(), &n);
    struct job *job;

    for (size_t i = 0; i < n && !stopping; i++)
        if (is_ours(&all[i]) && *find(all[i].name) == NULL && (job = job_new(all[i].name)) != NULL)
            run(job, &all[i]);
}

void job_wake(const char *name, uint64_t ms) {
    struct job *job = *find(name);
    uint64_t due_ms = loop_now_ms() + ms;

    if (job == NULL || due_ms >= job->due_ms)
        return;
    if (job->timer != NULL)
        wait_until(job, due_ms);
    else
        job->due_ms = due_ms; /* for on_ended() */
}

void job_fini(void) {
    struct job *job;
    struct err e;

    stopping = true;
    err_set(&e, ERR_SHUTTING_DOWN, "the service is shutting down");
    for (job = jobs; job != NULL; job = job->next)
        if (job->task != NULL)
            task_abort(job->task, &e);
    while (task_run_ready())
        ;
    while ((job = jobs) != NULL) {
        jobs = job->next;
        loop_timer_stop(&job->timer);
        free(job);
    }
    stopping = false;
}
