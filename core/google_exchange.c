#include "google_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "crypto.h"
#include "google_mask.h"
#include "json_text.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"

#define ATTEMPTS_MAX     5
#define BACKOFF_FIRST_MS 100        /* doubled each time */
#define TOLD_MAX         (96 * KIB) /* of a body in the log */
#define TOKEN_PEERS                                                                                \
    (GOOGLE_PEER_METADATA | GOOGLE_PEER_REFRESH | GOOGLE_PEER_IAM | GOOGLE_PEER_EXCHANGE)

struct google_exchange {
    const struct google_exchange_request *rq;
    google_exchange_done_fn *done;
    void *arg;
    struct fetch *fetch;           /* an attempt, or */
    struct loop_timer *timer;      /* the time between two */
    const struct log_scope *scope; /* held, of who asked for it */
    unsigned attempts;
    uint64_t attempt_us; /* when the last one began */
    bool unknown;        /* an earlier one may have been processed */
    bool http1;          /* HTTP/2 has failed: not again */
};

static int attempt(struct google_exchange *x, struct err *e);

void google_exchange_wipe(json_t *tree) {
    const char *name;
    json_t *value;
    size_t i;

    if (json_is_string(tree))
        explicit_bzero((char *)(uintptr_t)json_string_value(tree), json_string_length(tree));
    else if (json_is_object(tree))
        json_object_foreach(tree, name, value) google_exchange_wipe(json_incref(value));
    else
        json_array_foreach(tree, i, value) google_exchange_wipe(json_incref(value));
    json_decref(tree);
}

/* --- the debug event ------------------------------------------------------------------------- */

static const char *content_type(const struct google_exchange_request *rq) {
    for (size_t i = 0; i < rq->nheaders; i++)
        if (strcmp(rq->headers[i].name, "Content-Type") == 0)
            return rq->headers[i].value;
    return NULL;
}

/* A body that google_mask.h has put into `b`, as a field; nothing where there was none. */
static struct log_field told(const char *name, const struct buf *b) {
    if (buf_failed(b))
        return LOG_S(name, "(too long to be told)");
    return b->len > 0 ? LOG_J(name, b->data) : LOG_S(name, NULL);
}

static void log_attempt(const struct google_exchange *x, const struct google_answer *a) {
    const struct google_exchange_request *rq = x->rq;
    uint64_t us = clock_monotonic_us() - x->attempt_us;
    struct buf request, answer;

    if (!log_on(LOG_DEBUG))
        return;
    buf_init(&request, TOLD_MAX);
    buf_init(&answer, TOLD_MAX);
    if (rq->body != NULL)
        google_mask_add_body(&request, rq->body, content_type(rq));
    if (a->json != NULL)
        google_mask_add_tree(&answer, a->json);
    LOG(LOG_DEBUG, NULL, "google exchange", LOG_S("step", rq->names.step),
        LOG_S("mailbox", rq->names.mailbox), LOG_I("attempt", x->attempts),
        LOG_S("method", rq->method != NULL ? rq->method : "GET"), LOG_S("url", rq->url),
        LOG_I("status", a->status), LOG_N("ms", (double)us / 1000), told("request", &request),
        told("answer", &answer), LOG_I("answer_bytes", a->len),
        LOG_S("error", a->err.code != ERR_NONE ? a->err.message : NULL));
    buf_free(&request);
    buf_free(&answer);
}

/* --- counting -------------------------------------------------------------------------------- */

static const char *api_of(enum google_peer peer) {
    switch (peer) {
    case GOOGLE_PEER_METADATA:
        return "metadata";
    case GOOGLE_PEER_IAM:
        return "iam";
    case GOOGLE_PEER_REFRESH:
    case GOOGLE_PEER_EXCHANGE:
        return "oauth";
    case GOOGLE_PEER_GMAIL:
        return "gmail";
    case GOOGLE_PEER_FIRESTORE:
        return "firestore";
    case GOOGLE_PEER_KEYS:
        break;
    }
    return "jwks";
}

static void count_attempt(const struct google_exchange *x, const struct google_answer *a) {
    const char *api = api_of(x->rq->peer);
    const char *code = a->err.code == ERR_TIMEOUT ? "timeout" : "error";
    char number[METRICS_NUMBER_SIZE];

    if (a->status != 0)
        code = metrics_number(number, a->status);
    METRICS_COUNT(METRIC_GOOGLE_REQUESTS, api, code);
    metrics_observe(METRIC_GOOGLE_SECONDS, clock_monotonic_us() - x->attempt_us,
                    METRICS_LABELS(api));
}

void google_exchange_count_retry(enum google_peer peer) {
    METRICS_COUNT(METRIC_GOOGLE_RETRIES, api_of(peer));
}

/* --- judging an answer ----------------------------------------------------------------------- */

/* A quota that is full again tomorrow. */
static bool is_of_the_day(const struct google_error *ge) {
    return strcasestr(ge->message, "per day") != NULL || strcasestr(ge->message, "daily") != NULL;
}

/* Gmail's rate limits are its callers' business: they hold back the whole mailbox. */
static bool is_transient(const struct google_exchange_request *rq, const struct google_error *ge) {
    static const char *const words[] = {"ABORTED", "internal_failure", "server_error",
                                        "temporarily_unavailable"};
    static const int statuses[] = {408, 500, 502, 503, 504};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (google_error_is(ge, words[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (ge->status == statuses[i])
            return true;
    return ge->status == 429 && rq->peer != GOOGLE_PEER_GMAIL && !is_of_the_day(ge);
}

static void judge_failure(const struct google_exchange_request *rq, const struct fetch_reply *reply,
                          struct google_answer *a) {
    const char *place = reply->sent ? NULL : google_remedy_place(rq->peer);
    struct buf why;

    buf_init(&why, sizeof(reply->err.message));
    google_error_add_clean(&why, reply->err.message, strlen(reply->err.message));
    err_set(&a->err, reply->err.code == ERR_TIMEOUT ? ERR_TIMEOUT : google_remedy_code(rq->peer),
            "%s: %s%s%s", rq->names.step, why.data, place != NULL ? "; check " : "",
            place != NULL ? place : "");
    buf_free(&why);
    a->transient = !reply->lasting;
    a->unknown = reply->sent;
}

static void judge_refusal(const struct google_exchange_request *rq, struct google_answer *a,
                          int status) {
    google_error_read(&a->error, status, a->headers, a->nheaders, a->json, clock_now_us());
    google_remedy_tell(&a->err, rq->peer, &a->error, &rq->names);
    a->transient = is_transient(rq, &a->error);
    a->unknown = status >= 499 || status == 408; /* 499: CANCELLED, halfway perhaps */
}

static void judge(const struct google_exchange_request *rq, const struct fetch_reply *reply,
                  struct google_answer *a) {
    struct err e;
    int status;

    if (reply->err.code != ERR_NONE) {
        judge_failure(rq, reply, a);
        return;
    }
    a->status = status = reply->status;
    a->headers = reply->headers;
    a->nheaders = reply->nheaders;
    a->body = reply->body->data;
    a->len = reply->body->len;
    if (!rq->text && a->len > 0)
        a->json = json_text_parse(a->body, a->len, JSON_TEXT_DEPTH_MAX, &e);
    if (status < 200 || status > 299) {
        judge_refusal(rq, a, status);
    } else if (json_is_array(a->json) && google_error_in_stream(a->json, &status) != NULL) {
        judge_refusal(rq, a, status);
        a->unknown = true; /* it had begun */
    } else if (!rq->text && a->len > 0 && a->json == NULL) {
        err_set(&a->err, google_remedy_code(rq->peer),
                "%s: the answer (%d, %zu bytes) cannot be read: %.200s", rq->names.step, status,
                a->len, e.message);
        a->unknown = true;
    }
}

/* --- attempts -------------------------------------------------------------------------------- */

static void destroy(struct google_exchange *x) {
    log_release(x->scope);
    free(x);
}

static void finish(struct google_exchange *x, struct google_answer *a) {
    bool secret = (x->rq->peer & TOKEN_PEERS) != 0;

    a->unknown = a->err.code != ERR_NONE && (a->unknown || x->unknown);
    x->done(a, x->arg);
    if (secret)
        google_exchange_wipe(a->json);
    else
        json_decref(a->json);
    destroy(x);
}

static void on_timer(void *arg) {
    struct google_exchange *x = arg;
    struct google_answer a = {.transient = true};
    const struct log_scope *scope = log_hold_too(x->scope); /* x may be gone before it is left */
    const struct log_scope *before = log_enter(scope);

    loop_timer_stop(&x->timer);
    google_exchange_count_retry(x->rq->peer);
    if (attempt(x, &a.err) != 0)
        finish(x, &a);
    log_enter(before);
    log_release(scope);
}

/* Full jitter: anything from 0 to the step's whole length. */
static uint64_t backoff_ms(unsigned attempts) {
    uint64_t random, most = (uint64_t)BACKOFF_FIRST_MS << (attempts - 1);

    crypto_random(&random, sizeof(random));
    return random % (most + 1);
}

/* Wait and try again; false if the failure is to be told. */
static bool start_again(struct google_exchange *x, const struct google_answer *a) {
    bool harmless = x->rq->repeatable || (a->status == 0 && !a->unknown);
    uint64_t wait, asked = (uint64_t)a->error.retry_after * 1000;

    if (a->err.code == ERR_NONE || !a->transient || !harmless || x->attempts == ATTEMPTS_MAX)
        return false;
    wait = backoff_ms(x->attempts);
    if (wait < asked)
        wait = asked;
    if (clock_monotonic_ms() + wait >= x->rq->deadline_ms)
        return false;
    x->unknown = x->unknown || a->unknown;
    x->timer = loop_timer_start(wait, on_timer, x);
    return x->timer != NULL;
}

static void on_reply(const struct fetch_reply *reply, void *arg) {
    struct google_exchange *x = arg;
    struct google_answer a = {0};
    const struct log_scope *scope = log_hold_too(x->scope); /* as above */
    const struct log_scope *before = log_enter(scope);

    x->fetch = NULL;
    x->http1 = x->http1 || reply->http2;
    judge(x->rq, reply, &a);
    log_attempt(x, &a);
    count_attempt(x, &a);
    if (start_again(x, &a))
        google_exchange_wipe(a.json);
    else
        finish(x, &a);
    log_enter(before);
    log_release(scope);
}

static int attempt(struct google_exchange *x, struct err *e) {
    const struct google_exchange_request *rq = x->rq;
    uint64_t now = clock_monotonic_ms();
    uint64_t left = now < rq->deadline_ms ? rq->deadline_ms - now : 1;
    struct fetch_request fetch = {.method = rq->method,
                                  .url = rq->url,
                                  .headers = rq->headers,
                                  .nheaders = rq->nheaders,
                                  .body = rq->body,
                                  .timeout_ms = left,
                                  .max_bytes = rq->max_bytes,
                                  .http1 = x->http1};
    struct err why;

    if (rq->attempt_ms > 0 && rq->attempt_ms < left)
        fetch.timeout_ms = rq->attempt_ms;
    x->attempts++;
    x->attempt_us = clock_monotonic_us();
    if ((x->fetch = fetch_start(&fetch, on_reply, x, &why)) == NULL)
        return err_set(e, why.code, "%s: %.400s", rq->names.step, why.message);
    return 0;
}

struct google_exchange *google_exchange_start(const struct google_exchange_request *rq,
                                              google_exchange_done_fn *done, void *arg,
                                              struct err *e) {
    struct google_exchange *x = calloc(1, sizeof(*x));

    if (x == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "%s: out of memory", rq->names.step);
        return NULL;
    }
    x->rq = rq;
    x->done = done;
    x->arg = arg;
    x->scope = log_hold();
    if (attempt(x, e) != 0) {
        destroy(x);
        return NULL;
    }
    return x;
}

void google_exchange_cancel(struct google_exchange **xp) {
    struct google_exchange *x = *xp;

    if (x == NULL)
        return;
    *xp = NULL;
    fetch_cancel(&x->fetch);
    loop_timer_stop(&x->timer);
    destroy(x);
}
