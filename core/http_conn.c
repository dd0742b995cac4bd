#include "http_conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto.h"
#include "log.h"
#include "loop.h"

#define HEAD_MS   40000 /* from the last answer to the next complete head */
#define BODY_MS   60000 /* from the head to the end of the body */
#define GRACE_MS  20000 /* bodies and answers: after that ... */
#define RATE_MIN  4096  /* ... as many bytes a second, on average */
#define SWEEP_MS  1000
#define REPORT_MS 60000 /* at most one line in the log */

/* This close to the limit, each new connection costs another its place; libmicrohttpd accepts ten
 * at a time, and those that must go are gone in the next turn. */
#define ROOM_MAX 64

#define PEER_BUCKETS 4096
#define NUMERIC_SIZE 64 /* an address of IPv6 with its zone */

/* Why connections are closed; the first three as in enum http_wait. */
enum cut { CUT_HEAD, CUT_BODY, CUT_TAKEN, CUT_ROOM, CUT_ADDRESS, CUT_REFUSED, CUT_KINDS };

/* Connections in the order in which they began to wait. */
struct queue {
    struct http_conn *first, **end;
};

/* An address of IPv4, or the network of one of IPv6 (/64): who has one of those has them all. */
struct peer {
    struct peer *next, **link;
    uint64_t key;
    unsigned open, cut; /* connections; those of them that are cut off */
    unsigned waiting;   /* for the client */
};

struct http_conn {
    struct http_conn *next, **link;
    struct queue *queue; /* NULL: waits for us, or is cut off */
    struct peer *peer;
    struct http_request *suspended;
    int fd;
    bool gone, cut;
    enum http_wait wait;
    uint64_t since; /* loop_now_ms() when it began to wait */
    size_t bytes;   /* of the body so far, or of the answer */
    char remote[NUMERIC_SIZE];
};

static struct queue heads, transfers;
static struct peer *peers[PEER_BUCKETS];
static uint64_t peer_seed; /* odd and secret, so that nobody can fill one bucket */
static unsigned open_conns, cut_conns, limit;
static void (*tell_gone)(struct http_request *r);
static int gone_fd = -1;
static uv_poll_t gone_watch;
static uv_timer_t sweep_timer;
static unsigned cuts[CUT_KINDS]; /* since the last report */
static uint64_t next_report;

/* --- queues ---------------------------------------------------------------------------------- */

static void queue_init(struct queue *q) {
    q->first = NULL;
    q->end = &q->first;
}

static void enqueue(struct queue *q, struct http_conn *c) {
    c->queue = q;
    c->next = NULL;
    c->link = q->end;
    *q->end = c;
    q->end = &c->next;
    c->peer->waiting++;
}

static void dequeue(struct http_conn *c) {
    if (c->queue == NULL)
        return;
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    else
        c->queue->end = c->link;
    c->queue = NULL;
    c->peer->waiting--;
}

/* --- addresses ------------------------------------------------------------------------------- */

static uint64_t key_of(const struct sockaddr *a) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)a;
    uint64_t key = UINT64_C(0xFFFFFFFF) << 32;

    if (a->sa_family != AF_INET6)
        return key | four->sin_addr.s_addr;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return key | six->sin6_addr.s6_addr32[3];
    memcpy(&key, &six->sin6_addr, sizeof(key));
    return key;
}

static struct peer **bucket(uint64_t key) {
    return &peers[key * peer_seed >> 32 & (PEER_BUCKETS - 1)];
}

static struct peer *find_peer(const struct sockaddr *a) {
    uint64_t key = key_of(a);
    struct peer *p = *bucket(key);

    while (p != NULL && p->key != key)
        p = p->next;
    return p;
}

static struct peer *get_peer(const struct sockaddr *a) {
    struct peer *p = find_peer(a), **at;

    if (p != NULL || (p = calloc(1, sizeof(*p))) == NULL)
        return p;
    p->key = key_of(a);
    at = bucket(p->key);
    p->next = *at;
    p->link = at;
    if (p->next != NULL)
        p->next->link = &p->next;
    *at = p;
    return p;
}

static void release_peer(struct peer *p) {
    if (p->open > 0)
        return;
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    free(p);
}

/* --- closing --------------------------------------------------------------------------------- */

/* libmicrohttpd notices in its next run, and http_conn_close() follows. */
static void cut_off(struct http_conn *c, enum cut why) {
    dequeue(c);
    c->cut = true;
    c->peer->cut++;
    cut_conns++;
    cuts[why]++;
    shutdown(c->fd, SHUT_RDWR);
}

static uint64_t deadline(const struct http_conn *c) {
    uint64_t slowest = c->since + GRACE_MS + (uint64_t)c->bytes * 1000 / RATE_MIN;

    if (c->wait == HTTP_WAIT_HEAD)
        return c->since + HEAD_MS;
    if (c->wait == HTTP_WAIT_BODY && slowest > c->since + BODY_MS)
        return c->since + BODY_MS;
    return slowest;
}

static void cut_late(const struct queue *q, uint64_t now) {
    struct http_conn *c, *next;

    for (c = q->first; c != NULL; c = next) {
        next = c->next;
        if (now > deadline(c))
            cut_off(c, (enum cut)c->wait);
        /* The end of what it sends, which MHD overlooks if it came with the last bytes.  A body may
         * be whole, and is answered then. */
        else if (c->gone && c->wait != HTTP_WAIT_TAKEN && now > c->since + SWEEP_MS)
            shutdown(c->fd, c->wait == HTTP_WAIT_HEAD ? SHUT_RDWR : SHUT_RD);
    }
}

static void report(uint64_t now) {
    unsigned sum = 0;

    for (size_t i = 0; i < CUT_KINDS; i++)
        sum += cuts[i];
    if (sum == 0 || now < next_report)
        return;
    next_report = now + REPORT_MS;
    LOG(LOG_WARNING, NULL, "connections cut off", LOG_I("slow_heads", cuts[CUT_HEAD]),
        LOG_I("slow_bodies", cuts[CUT_BODY]), LOG_I("slow_readers", cuts[CUT_TAKEN]),
        LOG_I("for_room", cuts[CUT_ROOM]), LOG_I("for_their_address", cuts[CUT_ADDRESS]),
        LOG_I("refused", cuts[CUT_REFUSED]), LOG_I("open", open_conns - cut_conns),
        LOG_I("limit", limit));
    memset(cuts, 0, sizeof(cuts));
}

static void on_sweep(uv_timer_t *h) {
    uint64_t now = loop_now_ms();

    (void)h;
    cut_late(&heads, now);
    cut_late(&transfers, now);
    report(now);
}

/* The one that has waited longest for its client; of this address, or (NULL) of any. */
static bool cut_longest(const struct peer *p, enum cut why) {
    static struct queue *const in_turn[] = {&heads, &transfers};

    for (size_t i = 0; i < COUNT_OF(in_turn); i++)
        for (struct http_conn *c = in_turn[i]->first; c != NULL; c = c->next)
            if (p == NULL || c->peer == p) {
                cut_off(c, why);
                return true;
            }
    return false;
}

bool http_conn_admit(const struct sockaddr *a) {
    const struct peer *p = find_peer(a);
    unsigned room = limit / 8 < ROOM_MAX ? limit / 8 : ROOM_MAX;

    if (p != NULL && p->open - p->cut >= limit / 2 &&
        (p->waiting == 0 || !cut_longest(p, CUT_ADDRESS))) {
        cuts[CUT_REFUSED]++;
        return false;
    }
    if (open_conns - cut_conns >= limit - room)
        cut_longest(NULL, CUT_ROOM);
    return true;
}

/* --- one connection -------------------------------------------------------------------------- */

struct http_conn *http_conn_open(int fd, const struct sockaddr *a) {
    struct http_conn *c = calloc(1, sizeof(*c));
    struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};

    if (c == NULL || (c->peer = get_peer(a)) == NULL) {
        free(c);
        return NULL;
    }
    c->fd = fd;
    if (getnameinfo(a, sizeof(struct sockaddr_storage), c->remote, sizeof(c->remote), NULL, 0,
                    NI_NUMERICHOST) != 0)
        strcpy(c->remote, "?");
    c->peer->open++;
    open_conns++;
    epoll_ctl(gone_fd, EPOLL_CTL_ADD, fd, &ev);
    http_conn_wait(c, HTTP_WAIT_HEAD, 0);
    return c;
}

const char *http_conn_remote(const struct http_conn *c) {
    return c->remote;
}

void http_conn_close(struct http_conn *c) {
    epoll_ctl(gone_fd, EPOLL_CTL_DEL, c->fd, NULL);
    dequeue(c);
    open_conns--;
    c->peer->open--;
    if (c->cut) {
        cut_conns--;
        c->peer->cut--;
    }
    release_peer(c->peer);
    free(c);
}

bool http_conn_is_cut(const struct http_conn *c) {
    return c->cut;
}

void http_conn_timed_out(const struct http_conn *c) {
    if (c->wait != HTTP_WAIT_US)
        cuts[c->wait]++;
}

void http_conn_wait(struct http_conn *c, enum http_wait what, size_t n) {
    if (c->cut)
        return;
    dequeue(c);
    c->wait = what;
    c->since = loop_now_ms();
    c->bytes = n;
    if (what != HTTP_WAIT_US)
        enqueue(what == HTTP_WAIT_HEAD ? &heads : &transfers, c);
}

void http_conn_received(struct http_conn *c, size_t n) {
    c->bytes += n;
}

void http_conn_suspend(struct http_conn *c, struct http_request *r) {
    c->suspended = r;
    if (r != NULL && c->gone)
        tell_gone(r);
}

/* --- who has left ---------------------------------------------------------------------------- */

static void on_gone_ready(uv_poll_t *h, int status, int events) {
    struct epoll_event ready[64];
    int n = epoll_wait(gone_fd, ready, (int)COUNT_OF(ready), 0);

    (void)h;
    (void)status;
    (void)events;
    for (int i = 0; i < n; i++) {
        struct http_conn *c = ready[i].data.ptr;

        c->gone = true;
        if (c->suspended != NULL)
            tell_gone(c->suspended);
    }
}

/* --- birth and death ------------------------------------------------------------------------- */

/* A request may need two more descriptors (its own transfer, a file); the rest is for the store. */
static unsigned descriptor_share(void) {
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < 256)
        return 64;
    return files.rlim_cur > 60000 ? 20000 : (unsigned)(files.rlim_cur / 3);
}

int http_conn_init(void (*on_gone)(struct http_request *r), struct err *e) {
    limit = descriptor_share();
    tell_gone = on_gone;
    queue_init(&heads);
    queue_init(&transfers);
    crypto_random(&peer_seed, sizeof(peer_seed));
    peer_seed |= 1;
    if ((gone_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return err_set(e, ERR_INTERNAL_ERROR, "epoll: %s", strerror(errno));
    uv_poll_init(loop_uv(), &gone_watch, gone_fd);
    uv_poll_start(&gone_watch, UV_READABLE, on_gone_ready);
    uv_timer_init(loop_uv(), &sweep_timer);
    uv_timer_start(&sweep_timer, on_sweep, SWEEP_MS, SWEEP_MS);
    return 0;
}

unsigned http_conn_limit(void) {
    return limit;
}

void http_conn_fini(void) {
    uv_close((uv_handle_t *)&gone_watch, NULL);
    uv_close((uv_handle_t *)&sweep_timer, NULL);
    close(gone_fd);
}
