#include "loop.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#define TURN_MAX   4
#define ROUNDS_MAX 4 /* then sockets are looked at again */
#define SIGNAL_MAX 4

struct loop_timer {
    uv_timer_t uv;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_work {
    uv_work_t uv;
    void (*work)(void *arg);
    void (*done)(void *arg); /* NULL: nobody listens any more */
    void (*release)(void *arg);
    void *arg;
};

struct loop_watch {
    uv_fs_event_t uv;
    void (*fn)(void *arg);
    void *arg;
};

struct signal_watch {
    uv_signal_t uv;
    void (*fn)(void *arg);
    void *arg;
};

static uv_loop_t loop;
static uv_prepare_t before_sleep;
static uv_check_t after_io;
static uv_idle_t awake;
static bool (*turns[TURN_MAX])(void);
static size_t nturns;
static struct signal_watch signals[SIGNAL_MAX];
static size_t nsignals;
static bool stopped; /* since loop_wait_readable() */

/* An active idle handle makes libuv poll without sleeping. */
static void on_awake(uv_idle_t *h) {
    uv_idle_stop(h);
}

static void run_turns(void) {
    bool more = true;

    for (int round = 0; more && round < ROUNDS_MAX; round++) {
        more = false;
        for (size_t i = 0; i < nturns; i++)
            more |= turns[i]();
    }
    if (more)
        uv_idle_start(&awake, on_awake);
}

static void on_prepare(uv_prepare_t *h) {
    (void)h;
    run_turns();
}

static void on_check(uv_check_t *h) {
    (void)h;
    run_turns();
}

int loop_init(void) {
    if (uv_loop_init(&loop) != 0)
        return -1;
    nturns = nsignals = 0;
    uv_prepare_init(&loop, &before_sleep);
    uv_check_init(&loop, &after_io);
    uv_idle_init(&loop, &awake);
    uv_prepare_start(&before_sleep, on_prepare);
    uv_check_start(&after_io, on_check);
    /* Both only accompany other handles: alone they do not keep the loop running. */
    uv_unref((uv_handle_t *)&before_sleep);
    uv_unref((uv_handle_t *)&after_io);
    return 0;
}

/* Where nothing is open libuv does not turn at all, but there may be work all the same. */
void loop_run(void) {
    run_turns();
    uv_run(&loop, UV_RUN_DEFAULT);
}

void loop_stop(void) {
    stopped = true;
    uv_stop(&loop);
}

void loop_wait_readable(int fd) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                           {.fd = uv_backend_fd(&loop), .events = POLLIN}};

    stopped = false;
    uv_ref((uv_handle_t *)&before_sleep); /* signals alone do not make libuv turn */
    while (!stopped && fds[0].revents == 0) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (!stopped)
            (void)poll(fds, 2, uv_backend_timeout(&loop));
    }
    uv_unref((uv_handle_t *)&before_sleep);
}

uv_loop_t *loop_uv(void) {
    return &loop;
}

uint64_t loop_now_ms(void) {
    return uv_now(&loop);
}

void loop_on_turn(bool (*fn)(void)) {
    if (nturns < TURN_MAX)
        turns[nturns++] = fn;
}

static void close_leaked(uv_handle_t *h, void *count) {
    if (uv_is_closing(h))
        return;
    ++*(int *)count;
    uv_close(h, NULL);
}

/* What is asked for has begun: asking again must not cut it off.  The kernel does so for each
 * thread of a parent that dies, if the child has asked to be told. */
static void ignore_signals(void) {
    for (size_t i = 0; i < nsignals; i++) {
        int signum = signals[i].uv.signum;

        uv_close((uv_handle_t *)&signals[i].uv, NULL);
        signal(signum, SIG_IGN);
    }
    nsignals = 0;
}

int loop_fini(void) {
    int leaked = 0;

    nturns = 0;
    ignore_signals();
    uv_close((uv_handle_t *)&before_sleep, NULL);
    uv_close((uv_handle_t *)&after_io, NULL);
    uv_close((uv_handle_t *)&awake, NULL);
    /* A handle that somebody forgot would keep uv_run() waiting. */
    uv_walk(&loop, close_leaked, &leaked);
    uv_run(&loop, UV_RUN_DEFAULT); /* close callbacks, and work still on its way */
    return uv_loop_close(&loop) != 0 ? -1 : leaked;
}

/* --- signals --------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *h, int signum) {
    struct signal_watch *s = h->data;

    (void)signum;
    s->fn(s->arg);
}

int loop_on_signal(int signum, void (*fn)(void *arg), void *arg) {
    struct signal_watch *s = &signals[nsignals];

    if (nsignals == SIGNAL_MAX || uv_signal_init(&loop, &s->uv) != 0)
        return -1;
    nsignals++;
    s->fn = fn;
    s->arg = arg;
    s->uv.data = s;
    uv_unref((uv_handle_t *)&s->uv);
    return uv_signal_start(&s->uv, on_signal, signum);
}

/* --- timers ---------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *h) {
    struct loop_timer *t = h->data;

    t->fn(t->arg); /* may stop t */
}

static void on_timer_closed(uv_handle_t *h) {
    free(h->data);
}

struct loop_timer *loop_timer_start(uint64_t ms, void (*fn)(void *arg), void *arg) {
    struct loop_timer *t = malloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    t->uv.data = t;
    uv_timer_init(&loop, &t->uv);
    uv_update_time(&loop); /* a long slice may have passed since the turn began */
    uv_timer_start(&t->uv, on_timer, ms, 0);
    return t;
}

void loop_timer_stop(struct loop_timer **tp) {
    struct loop_timer *t = *tp;

    if (t == NULL)
        return;
    *tp = NULL;
    uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

/* --- work on other threads ------------------------------------------------------------------- */

static void on_work(uv_work_t *uv) {
    struct loop_work *w = uv->data;

    w->work(w->arg);
}

static void on_work_done(uv_work_t *uv, int status) {
    struct loop_work *w = uv->data;

    (void)status;
    if (w->done != NULL)
        w->done(w->arg);
    if (w->release != NULL)
        w->release(w->arg);
    free(w);
}

struct loop_work *loop_work_start(void (*work)(void *arg), void (*done)(void *arg),
                                  void (*release)(void *arg), void *arg) {
    struct loop_work *w = malloc(sizeof(*w));

    if (w == NULL)
        return NULL;
    *w = (struct loop_work){.work = work, .done = done, .release = release, .arg = arg};
    w->uv.data = w;
    if (uv_queue_work(&loop, &w->uv, on_work, on_work_done) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

void loop_work_detach(struct loop_work **wp) {
    if (*wp == NULL)
        return;
    (*wp)->done = NULL;
    *wp = NULL;
}

/* --- directories ----------------------------------------------------------------------------- */

static void on_event(uv_fs_event_t *h, const char *name, int events, int status) {
    struct loop_watch *w = h->data;

    (void)name;
    (void)events;
    (void)status;
    w->fn(w->arg); /* may stop w */
}

static void on_watch_closed(uv_handle_t *h) {
    free(h->data);
}

struct loop_watch *loop_watch_start(const char *dir, void (*fn)(void *arg), void *arg) {
    struct loop_watch *w = malloc(sizeof(*w));

    if (w == NULL)
        return NULL;
    w->fn = fn;
    w->arg = arg;
    w->uv.data = w;
    uv_fs_event_init(&loop, &w->uv);
    if (uv_fs_event_start(&w->uv, on_event, dir, 0) != 0)
        loop_watch_stop(&w);
    return w;
}

void loop_watch_stop(struct loop_watch **wp) {
    struct loop_watch *w = *wp;

    if (w == NULL)
        return;
    *wp = NULL;
    uv_close((uv_handle_t *)&w->uv, on_watch_closed);
}
