#include "fetch_multi.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define IDLE_PLAIN   4096L /* connections kept in the last multi, each about 3 KiB */
#define IDLE_TLS     64L   /* each about 36 KiB */
#define TLS_HOST_MAX 20L   /* connections; HTTP/2 puts 100 requests on each */
#define EVENTS_MAX   256
#define PLAIN_MULTIS 128
#define PLAIN_SHARE  128 /* transfers of one of them, but for the last */

/*
 * Each lane has a multi of its own.  HTTP/2 needs a limit of connections per host (without one,
 * 1,000 requests open 900), and the same limit would hold back hosts that speak HTTP/1 in the
 * clear: emulators, the metadata server.  Nor may uploads over HTTP/1.1 use up what HTTP/2 needs.
 *
 * In the clear there is a connection to each transfer, and whoever looks for an idle one passes by
 * all that are not: where there are many, there is another multi.
 */
struct fetch_multi {
    CURLM *curl; /* NULL until the first transfer */
    fetch_multi_end_fn *on_end;
    uv_timer_t timer;
    unsigned transfers;
};

/*
 * All sockets are in one epoll set of our own, which the loop watches as one descriptor.  What a
 * socket is registered for follows what curl wants lazily, since most are wanted again by the
 * next request: that halves the system calls.  It is level-triggered because curl does not read
 * a socket until it is empty.
 */
struct watch {
    uint8_t want, registered; /* EPOLLIN, EPOLLOUT */
    uint8_t multi;
    bool sticky; /* a connection: on_close() hears of it before it is closed */
};

static struct fetch_multi multis[FETCH_PLAIN + PLAIN_MULTIS]; /* by lane */
static_assert(COUNT_OF(multis) <= UINT8_MAX + 1, "a watch has a byte for which it is");
static unsigned transfers;
static int set = -1;
static uv_poll_t set_poll;
static struct watch *watches; /* by descriptor */
static size_t nwatches;

/* --- sockets --------------------------------------------------------------------------------- */

static struct watch *watch_of(curl_socket_t fd) {
    size_t n = nwatches > 0 ? nwatches : 64;
    struct watch *grown;

    if ((size_t)fd < nwatches)
        return &watches[fd];
    while (n <= (size_t)fd)
        n *= 2;
    if ((grown = realloc(watches, n * sizeof(*grown))) == NULL)
        return NULL;
    memset(grown + nwatches, 0, (n - nwatches) * sizeof(*grown));
    watches = grown;
    nwatches = n;
    return &watches[fd];
}

static void register_watch(struct watch *w, curl_socket_t fd) {
    struct epoll_event event = {.events = w->want, .data.fd = fd};
    int op = w->want == 0 ? EPOLL_CTL_DEL : w->registered != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (w->want != w->registered && epoll_ctl(set, op, fd, &event) == 0)
        w->registered = w->want;
}

/* curl opened a connection's socket. */
static int on_open(void *arg, curl_socket_t fd, curlsocktype purpose) {
    struct watch *w = watch_of(fd);

    (void)arg;
    (void)purpose;
    if (w == NULL)
        return CURL_SOCKOPT_ERROR;
    *w = (struct watch){.sticky = true};
    return CURL_SOCKOPT_OK;
}

static int on_close(void *arg, curl_socket_t fd) {
    (void)arg;
    if ((size_t)fd < nwatches)
        watches[fd] = (struct watch){0};
    return close(fd);
}

/* curl says what it waits for.  A failure is left to the transfer's time-out: reporting it would
 * end every transfer of the multi. */
static int on_interest(CURL *easy, curl_socket_t fd, int what, void *multi, void *assigned) {
    struct watch *w = watch_of(fd);

    (void)easy;
    (void)assigned;
    if (w == NULL)
        return 0;
    w->multi = (uint8_t)((struct fetch_multi *)multi - multis);
    w->want = (uint8_t)((what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EPOLLIN : 0) |
                        (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EPOLLOUT : 0));
    /* The resolver's own sockets are closed unseen, so they must leave the set now. */
    if ((w->want & ~w->registered) != 0 || !w->sticky)
        register_watch(w, fd);
    return 0;
}

/* What has ended by it is reported at once: each answer is let go of before the next one is read.
 */
static void act(struct fetch_multi *m, curl_socket_t fd, int action) {
    CURLMsg *msg;
    int n;

    curl_multi_socket_action(m->curl, fd, action, &n);
    while ((msg = curl_multi_info_read(m->curl, &n)) != NULL)
        m->on_end(msg->easy_handle, msg->data.result); /* msg is gone with the handle */
}

static void on_event(const struct epoll_event *event) {
    curl_socket_t fd = event->data.fd;
    struct watch *w = &watches[fd];
    bool broken = (event->events & (EPOLLERR | EPOLLHUP)) != 0;
    unsigned bits = event->events & w->want;
    int action = 0;

    if ((event->events & (EPOLLIN | EPOLLOUT) & ~(unsigned)w->want) != 0 ||
        (broken && w->want == 0))
        register_watch(w, fd);
    if (bits & EPOLLIN || (broken && w->want & EPOLLIN))
        action |= CURL_CSELECT_IN;
    if (bits & EPOLLOUT)
        action |= CURL_CSELECT_OUT;
    if (broken)
        action |= CURL_CSELECT_ERR;
    if (w->want == 0 || action == 0)
        return;
    act(&multis[w->multi], fd, action);
}

/* --- the loop -------------------------------------------------------------------------------- */

static void on_set(uv_poll_t *h, int status, int flags) {
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(set, events, EVENTS_MAX, 0);

    (void)h;
    (void)status;
    (void)flags;
    for (int i = 0; i < n; i++)
        on_event(&events[i]);
}

static void on_timer(uv_timer_t *h) {
    act(h->data, CURL_SOCKET_TIMEOUT, 0);
}

/* 0 means the next turn: curl must not be called from inside its own callback. */
static int on_timeout_change(CURLM *curl, long ms, void *arg) {
    struct fetch_multi *m = arg;

    (void)curl;
    if (ms < 0)
        uv_timer_stop(&m->timer);
    else
        uv_timer_start(&m->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

/* Idle connections do not keep the loop running. */
static void hold(void) {
    if (transfers > 0)
        uv_ref((uv_handle_t *)&set_poll);
    else
        uv_unref((uv_handle_t *)&set_poll);
}

static int open_set(void) {
    if (set >= 0)
        return 0;
    if ((set = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return -1;
    if (uv_poll_init(loop_uv(), &set_poll, set) != 0) {
        close(set);
        set = -1;
        return -1;
    }
    uv_poll_start(&set_poll, UV_READABLE, on_set);
    hold();
    return 0;
}

static void set_options(CURLM *curl, struct fetch_multi *m, enum fetch_lane lane) {
    long kept = lane != FETCH_PLAIN                 ? IDLE_TLS
                : m < multis + COUNT_OF(multis) - 1 ? PLAIN_SHARE
                                                    : IDLE_PLAIN;

    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_interest);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, m);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, m);
    /* curl's own default, four times what runs, reconnects under a varying load. */
    curl_multi_setopt(curl, CURLMOPT_MAXCONNECTS, kept);
    curl_multi_setopt(curl, CURLMOPT_PIPELINING,
                      lane == FETCH_TLS ? CURLPIPE_MULTIPLEX : CURLPIPE_NOTHING);
    curl_multi_setopt(curl, CURLMOPT_MAX_HOST_CONNECTIONS, lane != FETCH_PLAIN ? TLS_HOST_MAX : 0L);
}

static int open_multi(struct fetch_multi *m, enum fetch_lane lane, fetch_multi_end_fn *on_end) {
    if (m->curl != NULL)
        return 0;
    if (open_set() != 0 || (m->curl = curl_multi_init()) == NULL)
        return -1;
    m->on_end = on_end;
    uv_timer_init(loop_uv(), &m->timer);
    uv_unref((uv_handle_t *)&m->timer);
    m->timer.data = m;
    set_options(m->curl, m, lane);
    return 0;
}

/* The first one with room: there the connections are that were used last. */
static struct fetch_multi *multi_of(enum fetch_lane lane) {
    struct fetch_multi *m = &multis[lane], *last = &multis[COUNT_OF(multis) - 1];

    while (lane == FETCH_PLAIN && m < last && m->transfers >= PLAIN_SHARE)
        m++;
    return m;
}

void fetch_multi_prepare(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
}

struct fetch_multi *fetch_multi_add(enum fetch_lane lane, CURL *easy, fetch_multi_end_fn *on_end,
                                    struct err *e) {
    struct fetch_multi *m = multi_of(lane);

    if (open_multi(m, lane, on_end) != 0) {
        err_set(e, ERR_INTERNAL_ERROR, "no memory or no descriptor is left");
        return NULL;
    }
    if (curl_multi_add_handle(m->curl, easy) != CURLM_OK) {
        err_set(e, ERR_INTERNAL_ERROR, "libcurl does not take the request");
        return NULL;
    }
    m->transfers++;
    transfers++;
    hold();
    return m;
}

void fetch_multi_remove(struct fetch_multi *m, CURL *easy) {
    curl_multi_remove_handle(m->curl, easy);
    m->transfers--;
    transfers--;
    hold();
}

void fetch_multi_close(void) {
    for (size_t i = 0; i < COUNT_OF(multis); i++) {
        if (multis[i].curl == NULL)
            continue;
        curl_multi_cleanup(multis[i].curl);
        multis[i].curl = NULL;
        uv_close((uv_handle_t *)&multis[i].timer, NULL);
    }
    if (set >= 0) {
        uv_close((uv_handle_t *)&set_poll, NULL);
        close(set);
        set = -1;
    }
    free(watches);
    watches = NULL;
    nwatches = 0;
}
