#include "google.h"

#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "buf.h"
#include "clock.h"
#include "crypto.h"
#include "env.h"
#include "google_exchange.h"
#include "log.h"
#include "loop.h"

#define BEARER              "Bearer "
#define BEARER_MAX          (64 * KIB)
#define UPLOAD_BYTES_PER_MS 100 /* that a slow line takes */

struct google_call {
    enum google_api api;
    google_done_fn *done;
    void *arg;
    const char *step;
    char *mailbox, *url, *content_type;
    char *authorization, *quota_project; /* "Bearer …" */
    struct google_exchange_request rq;
    struct auth_call *auth; /* one of the two is under way */
    struct google_exchange *exchange;
    struct loop_timer *timer;      /* of the wait for a token; an exchange has its own deadline */
    const struct log_scope *scope; /* held, of who asked for it: tokens are waited for together */
    bool refused;                  /* one token was, by a 401 */
    bool unknown;                  /* an earlier attempt may have been processed */
    const struct err *no_token;    /* kept: why there is none; NULL: there is one */
};

static int start_token(struct google_call *c, struct err *e);

/* The emulator takes anybody who says this for the owner of the database. */
static bool is_emulated(const struct google_call *c) {
    return c->api == GOOGLE_FIRESTORE && env.firestore_emulator_host != NULL;
}

static void forget_token(struct google_call *c) {
    crypto_wipe(c->authorization);
    free(c->quota_project);
    err_let_go(&c->no_token);
    c->authorization = c->quota_project = NULL;
    c->rq.nheaders = 0;
}

static void destroy(struct google_call *c) {
    google_exchange_cancel(&c->exchange);
    auth_cancel(&c->auth);
    loop_timer_stop(&c->timer);
    forget_token(c);
    blob_unref(c->rq.body);
    free(c->mailbox);
    free(c->url);
    free(c->content_type);
    log_release(c->scope);
    free(c);
}

/* --- the end --------------------------------------------------------------------------------- */

static void finish(struct google_call *c, struct google_reply *reply) {
    google_done_fn *done = c->done;
    void *arg = c->arg;

    reply->unknown = reply->err.code != ERR_NONE && (reply->unknown || c->unknown);
    destroy(c);
    done(reply, arg);
    json_decref(reply->json);
}

static void fail(struct google_call *c, const struct err *e) {
    struct google_reply reply = {.err = *e};

    finish(c, &reply);
}

/* --- the exchange ---------------------------------------------------------------------------- */

static void on_answer(struct google_answer *a, void *arg) {
    struct google_call *c = arg;
    struct google_reply reply = {
        .err = a->err, .unknown = a->unknown, .status = a->status, .json = a->json};

    struct err e;

    c->exchange = NULL;
    if (a->status == 401 && !c->refused && !is_emulated(c)) {
        c->refused = true;
        c->unknown = a->unknown;
        google_exchange_count_retry(c->rq.peer);
        auth_refused(c->mailbox, env.gmail_scopes, c->authorization + strlen(BEARER));
        if (start_token(c, &e) != 0)
            fail(c, &e);
        return;
    }
    a->json = NULL;
    finish(c, &reply);
}

static void add_header(struct google_call *c, const char *name, const char *value) {
    if (value != NULL)
        c->rq.headers[c->rq.nheaders++] = (struct fetch_header){name, value};
}

static char *copy(const char *s) {
    return s != NULL ? strdup(s) : NULL;
}

static int start_exchange(struct google_call *c, struct err *e) {
    loop_timer_stop(&c->timer);
    if (c->no_token != NULL) {
        *e = *c->no_token;
        return -1;
    }
    c->rq.nheaders = 0;
    c->rq.names.quota_project = c->quota_project;
    add_header(c, "Authorization", c->authorization);
    add_header(c, "Content-Type", c->content_type);
    add_header(c, "x-goog-user-project", c->quota_project);
    c->exchange = google_exchange_start(&c->rq, on_answer, c, e);
    return c->exchange != NULL ? 0 : -1;
}

/* --- the token ------------------------------------------------------------------------------- */

static void keep_token(struct google_call *c, const struct auth_token *token) {
    struct err e;
    struct buf line; /* in one piece: asprintf() would leave copies of a secret behind */

    forget_token(c);
    c->quota_project = copy(token->quota_project);
    buf_init(&line, BEARER_MAX);
    buf_join(&line, BEARER, token->bearer);
    c->authorization = buf_take(&line, NULL);
    if (c->authorization != NULL)
        return;
    err_set(&e, ERR_INTERNAL_ERROR, "%s: out of memory", c->step);
    c->no_token = err_keep(&e);
}

static void on_token(const struct err *e, const struct auth_token *token, void *arg) {
    struct google_call *c = arg;
    const struct log_scope *scope, *before;
    struct err failure;

    if (token != NULL)
        keep_token(c, token);
    else
        c->no_token = err_keep(e);
    if (c->auth == NULL)
        return; /* start_token() is on the stack, and goes on */
    c->auth = NULL;
    scope = log_hold_too(c->scope); /* c may be gone before it is left */
    before = log_enter(scope);
    if (start_exchange(c, &failure) != 0)
        fail(c, &failure);
    log_enter(before);
    log_release(scope);
}

static void on_too_late(void *arg) {
    struct google_call *c = arg;
    struct err e;

    err_set(&e, ERR_TIMEOUT, "%s: there was no access token in time", c->step);
    fail(c, &e);
}

static int start_token(struct google_call *c, struct err *e) {
    static const struct auth_token emulators = {"owner", NULL};
    uint64_t now = clock_monotonic_ms();

    if (is_emulated(c))
        keep_token(c, &emulators);
    else
        c->auth = auth_start(c->mailbox, env.gmail_scopes, on_token, c);
    if (c->auth == NULL)
        return start_exchange(c, e);
    c->timer =
        loop_timer_start(now < c->rq.deadline_ms ? c->rq.deadline_ms - now : 0, on_too_late, c);
    return 0;
}

static uint64_t time_for(const struct google_request *rq) {
    size_t bytes = rq->body != NULL ? rq->body->len : 0;

    return env.upstream_timeout * 1000ULL + bytes / UPLOAD_BYTES_PER_MS;
}

static struct google_call *make_call(const struct google_request *rq) {
    struct google_call *c = calloc(1, sizeof(*c));
    bool gmail = rq->api == GOOGLE_GMAIL;

    if (c == NULL)
        return NULL;
    c->api = rq->api;
    c->scope = log_hold();
    c->step = rq->step;
    c->mailbox = gmail ? copy(rq->mailbox) : NULL;
    c->url = copy(rq->url);
    c->content_type = copy(rq->content_type);
    c->rq = (struct google_exchange_request){
        .peer = gmail ? GOOGLE_PEER_GMAIL : GOOGLE_PEER_FIRESTORE,
        .names = {.step = c->step, .mailbox = c->mailbox, .scopes = env.gmail_scopes},
        .method = rq->method,
        .url = c->url,
        .body = rq->body != NULL ? blob_ref(rq->body) : NULL,
        .repeatable = rq->repeatable,
        .deadline_ms = clock_monotonic_ms() + time_for(rq),
        .max_bytes = rq->max_bytes};
    if (c->url != NULL && (c->content_type != NULL) == (rq->content_type != NULL) &&
        (!gmail || c->mailbox != NULL))
        return c;
    destroy(c);
    return NULL;
}

struct google_call *google_start(const struct google_request *rq, google_done_fn *done, void *arg) {
    struct google_call *c = make_call(rq);
    struct google_reply reply = {0};

    if (c == NULL) {
        err_set(&reply.err, ERR_INTERNAL_ERROR, "%s: out of memory", rq->step);
        done(&reply, arg);
        return NULL;
    }
    c->done = done;
    c->arg = arg;
    if (start_token(c, &reply.err) == 0)
        return c;
    finish(c, &reply);
    return NULL;
}

void google_cancel(struct google_call **cp) {
    struct google_call *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    destroy(c);
}
