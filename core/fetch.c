#include "fetch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "buf.h"
#include "encode.h"
#include "env.h"
#include "fetch_easy.h"
#include "fetch_head.h"
#include "fetch_late.h"
#include "fetch_lines.h"
#include "fetch_multi.h"
#include "fetch_peer.h"

#define BODY_MAX       (8 * MIB)
#define SEND_BYTES     ((size_t)64 * KIB) /* at once, at most: over TLS, curl copies them */
#define TIMEOUT_MAX_MS (24 * 3600 * 1000)

#define SECRET_MAX (8 * KIB)

/*
 * Larger bodies go over HTTP/1.1: curl 7.88 drops an answer that ends an upload early, unless it
 * has the connection for itself.  What fits into a stream's first window (RFC 9113 §6.9.2) has
 * left before there is an answer.
 */
#define HTTP2_BODY_MAX 65535

struct fetch {
    struct fetch *next, **link; /* among all transfers */
    struct fetch_easy *easy;
    struct fetch_multi *multi;
    struct fetch_lines *lines;
    struct blob *request_body;
    fetch_done_fn *done;
    void *arg;
    enum fetch_lane lane;
    bool repeatable; /* RFC 9110 §9.2.2: the method is idempotent */
    bool no_metadata, public_only;
    bool connected; /* the request is leaving, or has left */
    bool worn;      /* the handle is not as it was: curl counts repetitions while one lives */
    struct fetch_head head;
    struct buf body;
    char *refusal; /* why it was ended from this side, or NULL */
};

/* What a reply's body blob owns. */
struct answer {
    char *body;
    size_t len;
    char *head;
    struct fetch_header headers[];
};

static struct fetch *transfers;
static unsigned ntransfers;
static bool open_for_work;

/* --- transfers ------------------------------------------------------------------------------- */

static void refuse(struct fetch *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void refuse(struct fetch *f, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    free(f->refusal);
    if (vasprintf(&f->refusal, fmt, ap) < 0)
        f->refusal = NULL;
    va_end(ap);
}

/* No callback of curl for f comes after this. */
static void detach(struct fetch *f) {
    fetch_multi_remove(f->multi, f->easy->curl);
    *f->link = f->next;
    if (f->next != NULL)
        f->next->link = f->link;
    ntransfers--;
}

static void destroy(struct fetch *f) {
    fetch_easy_give(f->easy, f->worn);
    fetch_lines_free(f->lines);
    blob_unref(f->request_body);
    fetch_head_free(&f->head);
    buf_wipe(&f->body);
    free(f->refusal);
    free(f);
}

static void release_answer(void *owner) {
    struct answer *a = owner;

    if (a->body != NULL) /* a token, perhaps, or somebody's letter */
        explicit_bzero(a->body, a->len);
    free(a->body);
    free(a->head);
    free(a);
}

/* Head and body move from f into a; NULL when out of memory. */
static struct answer *make_answer(struct fetch *f) {
    struct answer *a = calloc(1, sizeof(*a) + f->head.n * sizeof(a->headers[0]));
    char *at;

    if (a == NULL)
        return NULL;
    if ((a->head = buf_take(&f->head.text, NULL)) == NULL ||
        (a->body = buf_take(&f->body, &a->len)) == NULL) {
        release_answer(a);
        return NULL;
    }
    at = a->head;
    for (size_t i = 0; i < f->head.n; i++) {
        a->headers[i].name = at;
        a->headers[i].value = at + strlen(at) + 1;
        at += strlen(at) + 1;
        at += strlen(at) + 1;
    }
    return a;
}

static void fill_reply(struct fetch *f, struct fetch_reply *reply) {
    struct answer *a = make_answer(f);
    char origin[FETCH_ORIGIN_SIZE];
    long status = 0;

    if (a == NULL || (reply->body = blob_wrap(a->body, a->len, release_answer, a)) == NULL) {
        if (a != NULL)
            release_answer(a);
        fetch_easy_origin(f->easy, origin);
        err_set(&reply->err, ERR_FETCH_ERROR, "out of memory for the answer of %s", origin);
        return;
    }
    curl_easy_getinfo(f->easy->curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (int)status;
    reply->headers = a->headers;
    reply->nheaders = f->head.n;
}

/* An answer that on_header() or on_body() has refused, and a server that is not who it should be:
 * the same again, however often one asks. */
static bool is_lasting(CURLcode rc) {
    return rc == CURLE_WRITE_ERROR || rc == CURLE_PEER_FAILED_VERIFICATION ||
           rc == CURLE_SSL_CACERT_BADFILE;
}

/* curl's sentence names host, port and numbers; it may quote what the server sent. */
static void fill_err(struct fetch *f, CURLcode rc, struct fetch_reply *reply) {
    char *fault = f->easy->fault, origin[FETCH_ORIGIN_SIZE];
    const char *why = f->refusal != NULL ? f->refusal
                      : *fault != '\0'   ? fault
                                         : curl_easy_strerror(rc);

    for (char *s = fault; *s != '\0'; s++)
        if (*s < ' ' || *s > '~')
            *s = '?';
    fetch_easy_origin(f->easy, origin);
    err_set(&reply->err, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_FETCH_ERROR,
            "the exchange with %s failed: %s", origin, why);
    reply->lasting = is_lasting(rc);
    reply->http2 = rc == CURLE_HTTP2_STREAM || rc == CURLE_HTTP2;
}

/* Has a refusal come although its request could not be sent to the end?  Until there is a
 * connection curl tells of the handle's last request. */
static bool is_refused_early(const struct fetch *f) {
    size_t len = f->request_body != NULL ? f->request_body->len : 0;
    curl_off_t uploaded = 0;
    long status = 0;

    if (!f->connected)
        return false;
    curl_easy_getinfo(f->easy->curl, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    curl_easy_getinfo(f->easy->curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 400 && !f->head.open && f->refusal == NULL && (uint64_t)uploaded < len;
}

/* The same goes for this. */
static long bytes_sent(const struct fetch *f) {
    long bytes = 0;

    if (f->connected)
        curl_easy_getinfo(f->easy->curl, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes;
}

static void finish(struct fetch *f, CURLcode rc) {
    struct fetch_reply reply = {0};
    fetch_done_fn *done = f->done;
    void *arg = f->arg;

    detach(f);
    f->worn = f->worn || rc != CURLE_OK;
    reply.sent = bytes_sent(f) > 0;
    if (rc != CURLE_OK && is_refused_early(f))
        rc = CURLE_OK;
    if (rc == CURLE_OK && f->head.open) { /* curl takes a connection's end for the head's */
        refuse(f, "the answer broke off in its head");
        rc = CURLE_PARTIAL_FILE;
    }
    if (rc != CURLE_OK)
        fill_err(f, rc, &reply);
    else
        fill_reply(f, &reply);
    destroy(f); /* first, for done() may ask for the same URL */
    done(&reply, arg);
    blob_unref(reply.body);
}

static void on_end(CURL *curl, CURLcode rc) {
    struct fetch_easy *easy;

    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &easy);
    finish(easy->user, rc);
}

/* --- callbacks ---------------------------------------------------------------------------------
 */

static size_t on_header(char *line, size_t size, size_t n, void *arg) {
    struct fetch *f = ((struct fetch_easy *)arg)->user;

    (void)size; /* always 1 */
    if (fetch_head_add(&f->head, line, n))
        return n;
    refuse(f, "the answer's head has more than %zu bytes or %d headers", FETCH_HEAD_MAX,
           FETCH_HEADERS_MAX);
    return 0;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    struct fetch *f = ((struct fetch_easy *)arg)->user;

    (void)size; /* always 1 */
    /* What is moved while it grows leaves copies behind: a token's answer never is. */
    if (f->body.len == 0)
        (void)buf_reserve(&f->body, f->body.max < SECRET_MAX ? f->body.max : SECRET_MAX);
    buf_add(&f->body, p, n);
    if (!buf_failed(&f->body))
        return n;
    refuse(f, "the answer has more than %zu bytes", f->body.max);
    return 0;
}

/* The very address that a connection leads to: what a name stood for before is of no use. */
static bool may_reach(struct fetch *f, const char *ip) {
    if (f->no_metadata && fetch_peer_is_metadata(ip))
        refuse(f,
               "this address is link-local, where metadata servers give tokens: not for scripts");
    else if (f->public_only && !fetch_peer_is_public(ip))
        refuse(f, "this address is private, or not of the public Internet");
    else
        return true;
    return false;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to) {
    char ip[FETCH_PEER_SIZE];

    (void)purpose; /* always a connection */
    if (!may_reach(((struct fetch_easy *)arg)->user, fetch_peer_text(&to->addr, ip)))
        return CURL_SOCKET_BAD;
    return socket(to->family, to->socktype, to->protocol);
}

/* A connection is there and the request about to leave.  When a reused connection breaks before
 * an answer came, curl repeats the request on a new one by itself, a POST too, although the server
 * may have acted on the first (RFC 9110 §9.2.2 forbids it).  This is where that is refused. */
static int on_request(void *arg, char *peer, char *local, int peer_port, int local_port) {
    struct fetch *f = ((struct fetch_easy *)arg)->user;

    (void)local;
    (void)peer_port;
    (void)local_port;
    f->worn = f->connected; /* it is a repetition */
    if (!may_reach(f, peer))
        return CURL_PREREQFUNC_ABORT; /* a connection that others have opened */
    if (!f->repeatable && bytes_sent(f) > 0) {
        refuse(f, "the connection broke before an answer came");
        return CURL_PREREQFUNC_ABORT;
    }
    f->connected = true;
    return CURL_PREREQFUNC_OK;
}

static bool prepare(struct fetch_easy *easy) {
    CURL *curl = easy->curl;
    unsigned bad = 0;

    bad |= curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    bad |= curl_easy_setopt(curl, CURLOPT_HEADERDATA, easy);
    bad |= curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(curl, CURLOPT_WRITEDATA, easy);
    bad |= curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    bad |= curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, easy);
    bad |= curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_request);
    bad |= curl_easy_setopt(curl, CURLOPT_PREREQDATA, easy);
    fetch_multi_prepare(curl);
    return bad == 0;
}

/* --- one request ----------------------------------------------------------------------------- */

static bool is_one_of(const char *s, const char *const *list) {
    while (*list != NULL && strcasecmp(s, *list) != 0)
        list++;
    return *list != NULL;
}

/* No larger than what there is to send. */
static long send_bytes(const struct blob *body) {
    size_t n = body != NULL ? body->len : 0;

    return (long)(n < SEND_BYTES ? n : SEND_BYTES);
}

static int set_method(struct fetch *f, const struct fetch_request *rq, struct err *e) {
    static const char *const repeatable[] = {"GET",     "HEAD",  "PUT", "DELETE",
                                             "OPTIONS", "TRACE", NULL};
    static const char *const with_body[] = {"POST", "PUT", "PATCH", NULL};
    const char *method = rq->method != NULL ? rq->method : "GET";
    CURL *curl = f->easy->curl;
    unsigned bad = 0;

    if (!encode_is_token(method, strlen(method)))
        return err_set(e, ERR_INTERNAL_ERROR, "the method is not an HTTP token");
    f->repeatable = is_one_of(method, repeatable);
    if (rq->body != NULL || is_one_of(method, with_body)) {
        /* Read in place, and again from the start if need be; curl makes no copy. */
        bool empty = rq->body == NULL || rq->body->len == 0;

        f->request_body = rq->body != NULL ? blob_ref(rq->body) : NULL;
        bad |= curl_easy_setopt(curl, CURLOPT_POST, 1L);
        bad |= curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                                (curl_off_t)(empty ? 0 : rq->body->len));
        bad |= curl_easy_setopt(curl, CURLOPT_POSTFIELDS, empty ? "" : rq->body->data);
        bad |= curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, send_bytes(rq->body));
    } else {
        bad |= curl_easy_setopt(curl,
                                strcmp(method, "HEAD") == 0 ? CURLOPT_NOBODY : CURLOPT_HTTPGET, 1L);
    }
    bad |= curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return bad == 0 ? 0 : err_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static int set_headers(struct fetch *f, const struct fetch_request *rq, struct err *e) {
    if ((f->lines = fetch_lines_new(rq->headers, rq->nheaders, e)) == NULL)
        return -1;
    curl_easy_setopt(f->easy->curl, CURLOPT_HTTPHEADER, fetch_lines_list(f->lines));
    return 0;
}

static void set_timeout(struct fetch *f, uint64_t ms) {
    if (ms == 0)
        ms = env.upstream_timeout * 1000ULL;
    if (ms > TIMEOUT_MAX_MS)
        ms = TIMEOUT_MAX_MS;
    curl_easy_setopt(f->easy->curl, CURLOPT_TIMEOUT_MS, (long)ms);
}

static enum fetch_lane lane_of(const struct fetch *f, const struct fetch_request *rq) {
    if (!f->easy->tls)
        return FETCH_PLAIN;
    return rq->http1 || (rq->body != NULL && rq->body->len > HTTP2_BODY_MAX) ? FETCH_TLS_HTTP1
                                                                             : FETCH_TLS;
}

static void set_lane(struct fetch *f, const struct fetch_request *rq) {
    CURL *curl = f->easy->curl;

    f->lane = lane_of(f, rq);
    curl_easy_setopt(
        curl, CURLOPT_HTTP_VERSION,
        (long)(f->lane == FETCH_TLS_HTTP1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(curl, CURLOPT_PIPEWAIT, f->lane == FETCH_TLS ? 1L : 0L);
}

/* A transfer that knows what to ask. */
static struct fetch *create(const struct fetch_request *rq, struct err *e) {
    struct fetch *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    fetch_head_init(&f->head);
    buf_init(&f->body, rq->max_bytes > 0 ? rq->max_bytes : BODY_MAX);
    f->no_metadata = rq->no_metadata;
    f->public_only = rq->public_only;
    if ((f->easy = fetch_easy_take(rq->url, prepare, e)) != NULL && set_method(f, rq, e) == 0 &&
        set_headers(f, rq, e) == 0) {
        f->easy->user = f;
        set_lane(f, rq);
        set_timeout(f, rq->timeout_ms);
        return f;
    }
    destroy(f);
    return NULL;
}

int fetch_check(const struct fetch_request *rq, char origin[FETCH_ORIGIN_SIZE], struct err *e) {
    struct fetch *f = create(rq, e);

    if (f == NULL)
        return -1;
    fetch_easy_origin(f->easy, origin);
    destroy(f);
    return 0;
}

struct fetch *fetch_start(const struct fetch_request *rq, fetch_done_fn *done, void *arg,
                          struct err *e) {
    struct fetch *f;

    if (!open_for_work) {
        err_set(e, ERR_SHUTTING_DOWN, "the process is shutting down");
        return NULL;
    }
    if ((f = create(rq, e)) == NULL)
        return NULL;
    f->done = done;
    f->arg = arg;
    if ((f->multi = fetch_multi_add(f->lane, f->easy->curl, on_end, e)) == NULL) {
        destroy(f);
        return NULL;
    }
    f->next = transfers;
    f->link = &transfers;
    if (f->next != NULL)
        f->next->link = &f->next;
    transfers = f;
    ntransfers++;
    return f;
}

void fetch_cancel(struct fetch **fp) {
    struct fetch *f = *fp;

    if (f == NULL)
        return;
    *fp = NULL;
    f->worn = true;
    detach(f);
    destroy(f);
}

int fetch_init(struct err *e) {
    (void)e;
    open_for_work = true;
    return 0;
}

void fetch_fini(void) {
    open_for_work = false;
    while (transfers != NULL) {
        refuse(transfers, "the process is shutting down");
        finish(transfers, CURLE_ABORTED_BY_CALLBACK);
    }
    fetch_easy_close();
    fetch_multi_close();
    fetch_late_close();
}

unsigned fetch_count(void) {
    return ntransfers;
}
