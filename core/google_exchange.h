/*
 * google_exchange.h - one exchange with a server of Google, repeated where that is harmless.
 *
 * Repeated, with full jitter and inside the deadline: failures after which nothing can have been
 * processed (no connection, no TLS), and transient ones of a request that is marked repeatable.
 * Where HTTP/2 failed, the next attempt does without.  What a server asks to be given (RetryInfo,
 * Retry-After) is waited for, or the failure told where the deadline does not allow it.  Rate
 * limits of Gmail and quotas of a day are never repeated here.
 *
 * Every attempt is one debug event, with both bodies as google_mask.h lets them be told.
 *
 * The request is borrowed until done() or google_exchange_cancel().  done() is called from the
 * loop, never from inside google_exchange_start(), and ends the exchange.
 */
#ifndef GOOGLE_EXCHANGE_H
#define GOOGLE_EXCHANGE_H

#include <jansson.h>

#include "base.h"
#include "blob.h"
#include "err.h"
#include "fetch.h"
#include "google_error.h"
#include "google_remedy.h"

#define GOOGLE_EXCHANGE_HEADERS_MAX 4

struct google_exchange;

struct google_exchange_request {
    enum google_peer peer;
    struct google_names names;
    const char *method, *url;
    struct fetch_header headers[GOOGLE_EXCHANGE_HEADERS_MAX];
    size_t nheaders;
    struct blob *body;    /* or NULL */
    bool repeatable;      /* harmless to repeat though it may have been processed */
    bool text;            /* the answer is no JSON */
    uint64_t attempt_ms;  /* for each attempt; 0: until the deadline */
    uint64_t deadline_ms; /* of clock_monotonic_ms() */
    size_t max_bytes;     /* of an answer; 0: 8 MiB */
};

struct google_answer {
    struct err err;            /* code ERR_NONE: a 2xx */
    bool transient;            /* it failed, and may succeed in a moment */
    bool unknown;              /* it failed, but one of the attempts may have been processed */
    int status;                /* HTTP; 0: no answer */
    struct google_error error; /* with err and a status */
    const struct fetch_header *headers;
    size_t nheaders;
    const char *body; /* len bytes, no NUL; NULL without an answer */
    size_t len;
    json_t *json; /* the body if it is JSON; done() may take it and leave NULL */
};

typedef void google_exchange_done_fn(struct google_answer *answer, void *arg);

/* NULL and *e if the request is malformed, or the process shuts down. */
struct google_exchange *google_exchange_start(const struct google_exchange_request *rq,
                                              google_exchange_done_fn *done, void *arg,
                                              struct err *e);
void google_exchange_cancel(struct google_exchange **xp); /* NULL-safe, sets *xp to NULL */

/* A request is repeated by whoever made it, and not in here. */
void google_exchange_count_retry(enum google_peer peer);

/* Overwrite a tree's strings and let go of it; NULL-safe. */
void google_exchange_wipe(json_t *tree);

#endif
