#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "log.h"
#include "loop.h"

#define POOL_BYTES     ((size_t)16 * KIB) /* MHD's memory for the head of a request */
#define HEADERS_MAX    100
#define BODIES_MAX     16    /* times max_body: all bodies together */
#define IDLE_SECONDS   30u   /* of silence, then MHD closes the connection */
#define HEAD_MS        40000 /* from the last answer to the next complete head */
#define BODY_MS        60000 /* from the head to the end of the body */
#define SWEEP_MS       1000
#define BODY_FIRST_CAP ((size_t)64 * KIB)

struct conn {
    struct conn *next, **link;
    struct http_request *waiting; /* suspended, its reply due */
    int fd;
    bool gone;
    uint64_t deadline; /* loop_now_ms() by which something must be complete; 0: none */
};

struct request {
    struct http_request pub; /* first: the two pointers are converted */
    struct MHD_Connection *mhd;
    struct conn *conn;
    char *target;
    char *data; /* body while it arrives */
    size_t len, cap;
    bool begun, in_handler, suspended, replied;
    enum err_code refusal; /* of the body, which is not kept then */
};

static struct MHD_Daemon *mhd;
static const struct http_handler *handler;
static size_t max_body;
static size_t bodies; /* bytes of those that requests under way hold */
static int listen_fd = -1, gone_fd = -1;
static uv_poll_t mhd_watch, gone_watch;
static uv_timer_t mhd_timer, sweep_timer;
static bool need_pump, quiesced;
static struct conn *conns;

/* --- the pump: MHD_run as often as MHD wants, and not more often ----------------------------- */

static void on_mhd_timer(uv_timer_t *h) {
    (void)h;
    need_pump = true;
}

static void on_mhd_ready(uv_poll_t *h, int status, int events) {
    (void)h;
    (void)status;
    (void)events;
    need_pump = true;
}

/*
 * MHD's sockets are edge-triggered inside its own epoll set, and a resumed connection wakes nobody:
 * readability of that set alone is not enough.  MHD_get_timeout() after every run tells what is
 * left to do.
 */
static bool pump(void) {
    MHD_UNSIGNED_LONG_LONG ms;
    bool wants;

    if (!need_pump)
        return false;
    need_pump = false;
    MHD_run(mhd); /* may set it again: a reply, a closed connection */
    wants = MHD_get_timeout(mhd, &ms) == MHD_YES;
    need_pump |= wants && ms == 0;
    if (wants && ms > 0)
        uv_timer_start(&mhd_timer, on_mhd_timer, ms, 0);
    else
        uv_timer_stop(&mhd_timer);
    return true; /* requests may have started tasks */
}

/* --- connections ----------------------------------------------------------------------------- */

/* MHD's time-out starts anew with every byte; this one does not. */
static void on_sweep(uv_timer_t *h) {
    uint64_t now = loop_now_ms();

    (void)h;
    for (struct conn *c = conns; c != NULL; c = c->next)
        if (c->deadline != 0 && now > c->deadline) {
            c->deadline = 0;
            shutdown(c->fd, SHUT_RDWR);
        }
}

static void on_gone_ready(uv_poll_t *h, int status, int events) {
    struct epoll_event ready[64];
    int n = epoll_wait(gone_fd, ready, (int)COUNT_OF(ready), 0);

    (void)h;
    (void)status;
    (void)events;
    for (int i = 0; i < n; i++) {
        struct conn *c = ready[i].data.ptr;

        c->gone = true;
        if (c->waiting != NULL)
            handler->on_gone(c->waiting);
    }
}

static void conn_open(struct MHD_Connection *m, void **slot) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(m, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct conn *c = calloc(1, sizeof(*c));
    struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};

    *slot = c;
    if (c == NULL)
        return;
    c->fd = info->connect_fd;
    c->deadline = loop_now_ms() + HEAD_MS;
    c->next = conns;
    c->link = &conns;
    if (conns != NULL)
        conns->link = &c->next;
    conns = c;
    epoll_ctl(gone_fd, EPOLL_CTL_ADD, c->fd, &ev);
}

static void conn_close(void **slot) {
    struct conn *c = *slot;

    need_pump = true; /* MHD accepts again only at the start of a run */
    if (c == NULL)
        return;
    epoll_ctl(gone_fd, EPOLL_CTL_DEL, c->fd, NULL);
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    free(c);
    *slot = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *m, void **slot,
                          enum MHD_ConnectionNotificationCode what) {
    (void)cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        conn_open(m, slot);
    else
        conn_close(slot);
}

/* --- the head: MHD is laxer than HTTP demands ------------------------------------------------ */

struct head {
    unsigned headers, hosts, lengths, encodings;
    bool chunked, bad_name, bad_value;
};

static bool is_token(const char *s, size_t n) {
    static const char chars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return n > 0 && memchr(s, '\0', n) == NULL && strspn(s, chars) == n;
}

static enum MHD_Result on_head_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                     size_t nlen, const char *value, size_t vlen) {
    struct head *h = cls;

    (void)kind;
    h->headers++;
    if (!is_token(name, nlen))
        h->bad_name = true;
    for (size_t i = 0; i < vlen; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7F)
            h->bad_value = true;
    if (strcasecmp(name, "Host") == 0)
        h->hosts++;
    else if (strcasecmp(name, "Content-Length") == 0)
        h->lengths++;
    else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        h->encodings++;
        h->chunked = strcasecmp(value, "chunked") == 0;
    }
    return MHD_YES;
}

static int check_head(struct request *r, const char *version, struct err *e) {
    struct head h = {0};
    const char *length = http_header(&r->pub, "Content-Length");

    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, on_head_field, &h);
    if (h.headers > HEADERS_MAX)
        return err_set(e, ERR_HEADERS_TOO_LARGE, "the request has more than %d headers",
                       HEADERS_MAX);
    if (h.bad_name || h.bad_value)
        return err_set(e, ERR_MALFORMED_REQUEST, "a header has a malformed %s",
                       h.bad_name ? "name" : "value");
    if (h.lengths > 1 || h.encodings > 1 || (h.lengths > 0 && h.encodings > 0))
        return err_set(e, ERR_MALFORMED_REQUEST, "the length of the body is given more than once");
    if (h.encodings > 0 && !h.chunked)
        return err_set(e, ERR_MALFORMED_REQUEST, "the only Transfer-Encoding known is 'chunked'");
    if (length != NULL && strspn(length, "0123456789") != strlen(length))
        return err_set(e, ERR_MALFORMED_REQUEST, "Content-Length is not a number");
    if (h.hosts > 1 || (h.hosts == 0 && strcmp(version, "HTTP/1.1") == 0))
        return err_set(e, ERR_MALFORMED_REQUEST, "the request needs exactly one Host header");
    if (r->target[0] != '/' && strcmp(r->target, "*") != 0)
        return err_set(e, ERR_MALFORMED_REQUEST, "the request's target does not begin with '/'");
    if (length != NULL && (strlen(length) > 15 || strtoull(length, NULL, 10) > max_body))
        r->refusal = ERR_PAYLOAD_TOO_LARGE;
    return 0;
}

/* --- a request: head, body, handler ---------------------------------------------------------- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *m) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(m, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *r = calloc(1, sizeof(*r));

    (void)cls;
    if (r == NULL || (r->target = strdup(uri)) == NULL) {
        free(r);
        return NULL;
    }
    r->mhd = m;
    r->pub.target = r->target;
    r->conn = info->socket_context;
    return r;
}

static void refuse(struct request *r) {
    struct err e;

    if (r->refusal == ERR_PAYLOAD_TOO_LARGE)
        err_set(&e, r->refusal, "the request's body is over the limit of %zu bytes", max_body);
    else
        err_set(&e, r->refusal, "the requests under way hold too many bytes already; try again");
    handler->on_refused(&r->pub, &e);
}

static void let_go(struct request *r) {
    free(r->data);
    r->data = NULL;
    bodies -= r->len;
    r->len = r->cap = 0;
}

/* May the body grow by n bytes?  One that may not is read to its end, and dropped. */
static bool may_grow(struct request *r, size_t n) {
    if (n > max_body - r->len)
        r->refusal = ERR_PAYLOAD_TOO_LARGE;
    else if (n > BODIES_MAX * max_body - bodies)
        r->refusal = ERR_OVERLOADED;
    if (r->refusal != ERR_NONE)
        let_go(r);
    return r->refusal == ERR_NONE;
}

static void on_head(struct request *r, const char *method, const char *version) {
    struct err e;

    r->begun = true;
    r->pub.method = method;
    if (r->conn != NULL)
        r->conn->deadline = loop_now_ms() + BODY_MS;
    if (check_head(r, version, &e) != 0)
        handler->on_refused(&r->pub, &e);
    else if (r->refusal != ERR_NONE && http_header(&r->pub, "Expect") != NULL)
        refuse(r); /* who does not ask first reads the answer only after his body */
}

static enum MHD_Result on_body(struct request *r, const char *data, size_t n) {
    const char *length;
    size_t want;
    char *grown;

    if (r->refusal != ERR_NONE || !may_grow(r, n))
        return MHD_YES; /* swallowed: MHD takes no answer in the middle of a body */
    if (r->len + n > r->cap) {
        length = http_header(&r->pub, "Content-Length");
        want = r->cap == 0 && length != NULL ? strtoul(length, NULL, 10) : r->cap * 2;
        if (want < r->len + n)
            want = r->len + n < BODY_FIRST_CAP && length == NULL ? BODY_FIRST_CAP : r->len + n;
        if ((grown = realloc(r->data, want)) == NULL)
            return MHD_NO;
        r->data = grown;
        r->cap = want;
    }
    memcpy(r->data + r->len, data, n);
    r->len += n;
    bodies += n;
    return MHD_YES;
}

static enum MHD_Result on_complete(struct request *r) {
    if (r->conn != NULL)
        r->conn->deadline = 0;
    if (r->data != NULL) {
        if ((r->pub.body = blob_own(r->data, r->len)) == NULL)
            return MHD_NO;
        r->data = NULL;
    }
    r->in_handler = true;
    if (r->refusal != ERR_NONE)
        refuse(r);
    else
        handler->on_request(&r->pub);
    r->in_handler = false;
    if (r->replied)
        return MHD_YES;
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
    if (r->conn != NULL) {
        r->conn->waiting = &r->pub;
        if (r->conn->gone)
            handler->on_gone(&r->pub);
    }
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *m, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state) {
    struct request *r = *state;

    (void)cls;
    (void)m;
    (void)url;
    if (r == NULL)
        return MHD_NO; /* no memory in on_uri() */
    if (!r->begun) {
        on_head(r, method, version);
        return MHD_YES;
    }
    if (*size > 0) {
        size_t n = *size;

        *size = 0;
        return on_body(r, data, n);
    }
    return r->replied ? MHD_YES : on_complete(r);
}

static void on_completed(void *cls, struct MHD_Connection *m, void **state,
                         enum MHD_RequestTerminationCode why) {
    struct request *r = *state;

    (void)cls;
    (void)m;
    (void)why;
    *state = NULL;
    if (r == NULL)
        return;
    if (r->conn != NULL)
        r->conn->deadline = loop_now_ms() + HEAD_MS;
    if (r->begun)
        handler->on_end(&r->pub);
    blob_unref(r->pub.body);
    let_go(r);
    free(r->target);
    free(r);
}

/* --- the reply ------------------------------------------------------------------------------- */

static void release_blob(void *blob) {
    blob_unref(blob);
}

static struct MHD_Response *make_response(struct blob *body) {
    struct MHD_Response *response;

    if (body == NULL)
        return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    response = MHD_create_response_from_buffer_with_free_callback_cls(
        body->len, (void *)(uintptr_t)body->data, release_blob, blob_ref(body));
    if (response == NULL)
        blob_unref(body);
    return response;
}

void http_reply(struct http_request *pub, int status, const struct http_header *headers,
                size_t nheaders, struct blob *body) {
    struct request *r = (struct request *)pub;
    struct MHD_Response *response = make_response(body);

    if (r->replied)
        abort(); /* a second answer is a bug of ours that must not go unseen */
    r->replied = true;
    pub->reply_length = body != NULL ? body->len : 0;
    if (response != NULL) {
        for (size_t i = 0; i < nheaders; i++)
            MHD_add_response_header(response, headers[i].name, headers[i].value);
        if (quiesced)
            MHD_add_response_header(response, "Connection", "close");
        MHD_queue_response(r->mhd, (unsigned)status, response);
        MHD_destroy_response(response);
    }
    /* Without memory for a response nothing is queued, and MHD closes the connection. */
    if (!r->suspended)
        return;
    r->suspended = false;
    if (r->conn != NULL)
        r->conn->waiting = NULL;
    need_pump = true;
    MHD_resume_connection(r->mhd);
}

/* --- what a handler may ask ------------------------------------------------------------------ */

const char *http_header(const struct http_request *pub, const char *name) {
    const struct request *r = (const struct request *)pub;

    return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

struct each {
    void (*fn)(const char *name, const char *value, void *arg);
    void *arg;
};

static enum MHD_Result on_each(void *cls, enum MHD_ValueKind kind, const char *name,
                               const char *value) {
    struct each *each = cls;

    (void)kind;
    each->fn(name, value != NULL ? value : "", each->arg);
    return MHD_YES;
}

void http_each_header(const struct http_request *pub,
                      void (*fn)(const char *name, const char *value, void *arg), void *arg) {
    const struct request *r = (const struct request *)pub;
    struct each each = {fn, arg};

    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, on_each, &each);
}

void http_remote(const struct http_request *pub, char *out, size_t size) {
    const struct request *r = (const struct request *)pub;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (getnameinfo(info->client_addr, sizeof(struct sockaddr_storage), out, (socklen_t)size, NULL,
                    0, NI_NUMERICHOST) != 0)
        snprintf(out, size, "?");
}

/* --- birth and death ------------------------------------------------------------------------- */

/* The port stands at the same place in the addresses of IPv4 and of IPv6. */
static uint16_t bound_port(int fd) {
    struct sockaddr_in6 a = {0};
    socklen_t n = sizeof(a);

    return getsockname(fd, (struct sockaddr *)&a, &n) == 0 ? ntohs(a.sin6_port) : 0;
}

int http_listen(const char *host, uint16_t *port, bool shared, struct err *e) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    int on = 1, why;

    snprintf(service, sizeof(service), "%u", *port);
    if ((why = getaddrinfo(host, service, &hints, &found)) != 0)
        return err_set(e, ERR_INTERNAL_ERROR, "HOST '%.100s' is not an address of this machine: %s",
                       host, gai_strerror(why));
    listen_fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listen_fd < 0)
        goto fail;
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* Otherwise two programs would share a port without anybody noticing. */
    if (shared)
        setsockopt(listen_fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(listen_fd, found->ai_addr, found->ai_addrlen) != 0 || listen(listen_fd, 4096) != 0)
        goto fail;
    freeaddrinfo(found);
    *port = bound_port(listen_fd);
    return 0;
fail:
    err_set(e, ERR_INTERNAL_ERROR, "cannot listen on %.100s port %u: %s%s", host, *port,
            strerror(errno), errno == EADDRINUSE ? " (is it running already?)" : "");
    freeaddrinfo(found);
    if (listen_fd >= 0)
        close(listen_fd);
    listen_fd = -1;
    return -1;
}

int http_probe(const char *host, uint16_t *port, struct err *e) {
    if (http_listen(host, port, false, e) != 0)
        return -1;
    close(listen_fd);
    listen_fd = -1;
    return 0;
}

static void on_mhd_log(void *cls, const char *fmt, va_list ap) {
    char line[256];

    (void)cls;
    if (!log_on(LOG_DEBUG))
        return;
    vsnprintf(line, sizeof(line), fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    LOG(LOG_DEBUG, NULL, "http server", LOG_S("detail", line));
}

/* Paths and queries reach the handler as they were sent. */
static size_t keep_escapes(void *cls, struct MHD_Connection *m, char *s) {
    (void)cls;
    (void)m;
    return strlen(s);
}

/* A request may need two more descriptors (its own transfer, a file); the rest is for the store. */
static unsigned connection_limit(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < 256)
        return 64;
    return limit.rlim_cur > 60000 ? 20000 : (unsigned)(limit.rlim_cur / 3);
}

static int start_daemon(struct err *e) {
    mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_access,
        NULL, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, connection_limit(), MHD_OPTION_CONNECTION_TIMEOUT,
        IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES, MHD_OPTION_URI_LOG_CALLBACK,
        on_uri, NULL, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
    if (mhd == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "the HTTP server could not be started");
    return 0;
}

int http_init(const struct http_handler *h, size_t max, struct err *e) {
    handler = h;
    max_body = max;
    quiesced = false;
    if ((gone_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return err_set(e, ERR_INTERNAL_ERROR, "epoll: %s", strerror(errno));
    if (start_daemon(e) != 0)
        return -1;
    uv_poll_init(loop_uv(), &mhd_watch,
                 MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_poll_start(&mhd_watch, UV_READABLE, on_mhd_ready);
    uv_poll_init(loop_uv(), &gone_watch, gone_fd);
    uv_poll_start(&gone_watch, UV_READABLE, on_gone_ready);
    uv_timer_init(loop_uv(), &mhd_timer);
    uv_timer_init(loop_uv(), &sweep_timer);
    uv_timer_start(&sweep_timer, on_sweep, SWEEP_MS, SWEEP_MS);
    loop_on_turn(pump);
    need_pump = true; /* the first run registers the listening socket */
    return 0;
}

void http_quiesce(void) {
    if (quiesced)
        return;
    quiesced = true;
    MHD_quiesce_daemon(mhd);
    close(listen_fd);
    listen_fd = -1;
    need_pump = true;
}

void http_fini(void) {
    http_quiesce();
    MHD_stop_daemon(mhd);
    uv_close((uv_handle_t *)&mhd_watch, NULL);
    uv_close((uv_handle_t *)&gone_watch, NULL);
    uv_close((uv_handle_t *)&mhd_timer, NULL);
    uv_close((uv_handle_t *)&sweep_timer, NULL);
    close(gone_fd);
}
