#include "http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "http_body.h"
#include "http_conn.h"
#include "http_head.h"
#include "http_listen.h"
#include "http_raw.h"
#include "log.h"
#include "loop.h"

#define IDLE_SECONDS   30u                  /* of silence, then MHD closes the connection */
#define SWALLOW_MAX    ((size_t)1024 * MIB) /* more does not arrive in the time there is */
#define EMPTY_RUNS_MAX 8 /* at once; then MHD has to wait a millisecond for the next */

struct request {
    struct http_request pub;      /* first: the two pointers are converted */
    struct request *next, **link; /* of those that MHD has not shown us; link NULL: it has */
    struct MHD_Connection *mhd;
    struct http_conn *conn;
    char *target;
    struct http_body body; /* while it arrives */
    bool begun, in_handler, suspended, replied;
    bool last; /* the connection ends with it */
    bool raw;  /* MHD takes no answer, or has no memory left for one */
};

static struct MHD_Daemon *mhd;
static const struct http_handler *handler;
static uv_poll_t mhd_watch;
static uv_timer_t mhd_timer;
static bool need_pump, quiesced;
static struct request *unseen;
static unsigned empty_runs; /* in a row: nothing was asked of us */

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
    empty_runs = 0;
}

/*
 * MHD's sockets are edge-triggered inside its own epoll set, and a resumed connection wakes nobody:
 * readability of that set alone is not enough.  MHD_get_timeout() after every run tells what is
 * left to do.  But it wants to be run without end while a chunk has an extension that does not fit
 * into its memory.
 */
static bool pump(void) {
    MHD_UNSIGNED_LONG_LONG ms;
    bool wants;

    if (!need_pump)
        return false;
    need_pump = false;
    MHD_run(mhd); /* may set it again: a reply, a closed connection */
    wants = MHD_get_timeout(mhd, &ms) == MHD_YES;
    if (wants && ms == 0 && empty_runs++ < EMPTY_RUNS_MAX)
        need_pump = true;
    if (wants && !need_pump)
        uv_timer_start(&mhd_timer, on_mhd_timer, ms > 0 ? ms : 1, 0);
    else
        uv_timer_stop(&mhd_timer);
    return true; /* requests may have started tasks */
}

/* --- connections ----------------------------------------------------------------------------- */

static const struct sockaddr *peer_of(struct MHD_Connection *m) {
    return MHD_get_connection_info(m, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
}

static int fd_of(struct MHD_Connection *m) {
    return MHD_get_connection_info(m, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *peer, socklen_t n) {
    (void)cls;
    (void)n;
    return http_conn_admit(peer) ? MHD_YES : MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *m, void **conn,
                          enum MHD_ConnectionNotificationCode what) {
    (void)cls;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *conn = http_conn_open(fd_of(m), peer_of(m));
        return;
    }
    need_pump = true; /* MHD accepts again only at the start of a run */
    if (*conn != NULL)
        http_conn_close(*conn);
    *conn = NULL;
}

/* --- a request: head, body, handler ---------------------------------------------------------- */

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *m) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(m, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct request *r = info->socket_context != NULL ? calloc(1, sizeof(*r)) : NULL;
    char *query = strchr(uri, '?');

    (void)cls;
    if (r == NULL || (r->target = strdup(uri)) == NULL) {
        free(r);
        return NULL;
    }
    /* Otherwise MHD would take the query to pieces, which we do ourselves; some thousands of them
     * fill its memory, and then it answers nothing at all. */
    if (query != NULL)
        query[1] = '\0';
    r->mhd = m;
    r->next = unseen;
    r->link = &unseen;
    if (unseen != NULL)
        unseen->link = &r->next;
    unseen = r;
    r->pub.target = r->target;
    r->conn = info->socket_context;
    return r;
}

static void take_out(struct request *r) {
    if (r->link == NULL)
        return;
    *r->link = r->next;
    if (r->next != NULL)
        r->next->link = r->link;
    r->link = NULL;
}

static void refuse(struct request *r) {
    struct err e;

    http_body_refusal(&r->body, &e);
    handler->on_refused(&r->pub, &e);
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len) {
    struct http_head *h = cls;

    if (h->nfields < HTTP_FIELDS_MAX)
        h->fields[h->nfields] =
            (struct http_field){name, (char *)(uintptr_t)value, name_len, value_len};
    h->nfields++;
    if (kind == MHD_FOOTER_KIND)
        h->size += name_len + value_len + 4;
    return MHD_YES;
}

static void read_fields(struct request *r, struct http_head *h, enum MHD_ValueKind kinds) {
    h->size = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    MHD_get_connection_values_n(r->mhd, kinds, on_field, h);
}

static void refuse_raw(struct request *r, const struct err *e) {
    r->begun = r->raw = true;
    handler->on_refused(&r->pub, e);
}

/* A refusal now makes MHD close the connection, so that nothing behind the head is looked at. */
static void on_head(struct request *r, struct http_head *h) {
    struct err e;

    r->begun = true;
    take_out(r);
    r->pub.method = h->method;
    r->pub.version = h->version;
    http_conn_wait(r->conn, HTTP_WAIT_BODY, 0);
    h->target = r->target;
    read_fields(r, h, MHD_HEADER_KIND);
    if (http_head_check_size(h, &e) != 0) {
        refuse_raw(r, &e);
        return;
    }
    if (http_head_check(h, &e) != 0) {
        handler->on_refused(&r->pub, &e);
        return;
    }
    http_body_expect(&r->body, http_head_length(h));
    /* MHD takes a bare LF for the end of a chunk's line, too, and tells nobody.  So nothing that
     * may stand behind such a body is taken for a request. */
    r->last = http_head_is_chunked(h);
    /* Who does not ask first reads the answer only after his body. */
    if (r->body.refusal != ERR_NONE &&
        (r->body.length > SWALLOW_MAX || http_header(&r->pub, "Expect") != NULL))
        refuse(r);
}

static void answer_unseen(struct request *r) {
    const char *length = http_header(&r->pub, "Content-Length");
    size_t digits = length != NULL ? strspn(length, "0123456789") : 0;
    struct err e;

    if (length != NULL && (digits == 0 || length[digits] != '\0'))
        err_set(&e, ERR_MALFORMED_REQUEST, "Content-Length is not a number");
    else if (digits > 18)
        err_set(&e, ERR_PAYLOAD_TOO_LARGE, "Content-Length is too large a number");
    else
        err_set(&e, ERR_HEADERS_TOO_LARGE, "the request's cookies are too large");
    r->pub.method = "";
    take_out(r);
    refuse_raw(r, &e);
}

/*
 * A Content-Length that is no number, and cookies that do not fit, MHD refuses before it shows us
 * the request, and sends the head of that answer twice.  That it complains is the one sign in time;
 * the request is the one whose head is complete and that has no answer yet.  We answer first, and
 * what MHD sends then finds the socket shut.
 */
static void find_unseen(void) {
    for (struct request *r = unseen, *next; r != NULL; r = next) {
        next = r->next;
        if (MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) != NULL &&
            MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_HTTP_STATUS) == NULL)
            answer_unseen(r);
    }
}

static enum MHD_Result on_body(struct request *r, const char *data, size_t n) {
    http_conn_received(r->conn, n);
    if (http_body_is_large(&r->body, n) && !handler->keeps_body(&r->pub))
        http_body_drop(&r->body);
    return http_body_add(&r->body, data, n) == 0 ? MHD_YES : MHD_NO;
}

/* Fields behind a body in chunks, which nobody asks for, take the same memory. */
static bool has_room(struct request *r) {
    struct http_head h = {.nfields = 0};
    struct err e;

    read_fields(r, &h, MHD_HEADER_KIND | MHD_FOOTER_KIND);
    if (http_head_check_size(&h, &e) == 0)
        return true;
    refuse_raw(r, &e);
    return false;
}

static enum MHD_Result on_complete(struct request *r) {
    http_conn_wait(r->conn, HTTP_WAIT_US, 0);
    if (r->last && !has_room(r))
        return MHD_NO;
    r->pub.body_length = r->body.len;
    if (r->body.len > 0 && (r->pub.body = http_body_take(&r->body)) == NULL)
        return MHD_NO;
    r->in_handler = true;
    if (r->body.refusal != ERR_NONE)
        refuse(r);
    else
        handler->on_request(&r->pub);
    r->in_handler = false;
    if (r->replied)
        return MHD_YES;
    r->suspended = true;
    MHD_suspend_connection(r->mhd);
    http_conn_suspend(r->conn, &r->pub);
    return MHD_YES;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *m, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *size, void **state) {
    struct request *r = *state;

    (void)cls;
    (void)m;
    empty_runs = 0;
    if (r == NULL || http_conn_is_cut(r->conn)) /* NULL: no memory in on_uri() */
        return MHD_NO;
    if (!r->begun) {
        struct http_head h = {.method = method, .path = url, .version = version};

        on_head(r, &h);
        return r->raw ? MHD_NO : MHD_YES;
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
    *state = NULL;
    if (r == NULL)
        return;
    if (why == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        http_conn_timed_out(r->conn);
    http_conn_wait(r->conn, HTTP_WAIT_HEAD, 0);
    take_out(r);
    if (r->begun)
        handler->on_end(&r->pub);
    blob_unref(r->pub.body);
    http_body_free(&r->body);
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
    struct MHD_Response *response;

    if (r->replied)
        abort(); /* a second answer is a bug of ours that must not go unseen */
    r->replied = true;
    pub->reply_length = body != NULL ? body->len : 0;
    if (r->raw) {
        http_raw_reply(fd_of(r->mhd), status, headers, nheaders,
                       strcmp(pub->method, "HEAD") == 0 ? NULL : body);
        return;
    }
    if ((response = make_response(body)) != NULL) {
        for (size_t i = 0; i < nheaders; i++)
            MHD_add_response_header(response, headers[i].name, headers[i].value);
        if (quiesced || r->last)
            MHD_add_response_header(response, "Connection", "close");
        MHD_queue_response(r->mhd, (unsigned)status, response);
        MHD_destroy_response(response);
    }
    /* Without memory for a response nothing is queued, and MHD closes the connection. */
    http_conn_wait(r->conn, HTTP_WAIT_TAKEN, pub->reply_length);
    if (!r->suspended)
        return;
    r->suspended = false;
    http_conn_suspend(r->conn, NULL);
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

const char *http_remote(const struct http_request *pub) {
    return http_conn_remote(((const struct request *)pub)->conn);
}

/* --- birth and death ------------------------------------------------------------------------- */

static void on_mhd_log(void *cls, const char *fmt, va_list ap) {
    char line[256];

    (void)cls;
    find_unseen();
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

static int start_daemon(struct err *e) {
    mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, on_accept, NULL, on_access,
        NULL, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        http_listen_fd(), MHD_OPTION_CONNECTION_LIMIT, http_conn_limit(),
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_POOL,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, NULL, MHD_OPTION_END);
    if (mhd == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "the HTTP server could not be started");
    return 0;
}

int http_init(const struct http_handler *h, size_t max, struct err *e) {
    handler = h;
    http_body_limit(max);
    quiesced = false;
    if (http_conn_init(h->on_gone, e) != 0 || start_daemon(e) != 0)
        return -1;
    uv_poll_init(loop_uv(), &mhd_watch,
                 MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    uv_poll_start(&mhd_watch, UV_READABLE, on_mhd_ready);
    uv_timer_init(loop_uv(), &mhd_timer);
    loop_on_turn(pump);
    need_pump = true; /* the first run registers the listening socket */
    return 0;
}

void http_quiesce(void) {
    if (quiesced)
        return;
    quiesced = true;
    MHD_quiesce_daemon(mhd);
    http_listen_close();
    need_pump = true;
}

void http_fini(void) {
    http_quiesce();
    MHD_stop_daemon(mhd);
    uv_close((uv_handle_t *)&mhd_watch, NULL);
    uv_close((uv_handle_t *)&mhd_timer, NULL);
    http_conn_fini();
}
