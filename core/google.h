/*
 * google.h - one authorised REST exchange with a Google API.
 *
 * Adds the token, refreshes it once on a 401, reads the three dialects of errors into the closed
 * list of codes with a sentence that names step and remedy, and repeats with full jitter inside
 * the deadline: only what is marked `repeatable`, and failures after which nothing can have been
 * processed.  Respects Retry-After, RetryInfo and the instant in Gmail's text.  All of it has
 * UPSTREAM_TIMEOUT, and what its body needs on a slow line.
 *
 * The request is borrowed until google_start() returns, but for its literals and `body`, of which
 * a reference is held.  done() is called exactly once, possibly before google_start() returns,
 * unless google_cancel() came first.
 */
#ifndef GOOGLE_H
#define GOOGLE_H

#include <jansson.h>

#include "base.h"
#include "blob.h"
#include "err.h"

enum google_api {
    GOOGLE_GMAIL,    /* token of `mailbox`, with all GMAIL_SCOPES; failures are ERR_GMAIL_ERROR */
    GOOGLE_FIRESTORE /* the service's token; failures are ERR_FIRESTORE_ERROR */
};

struct google_request {
    enum google_api api;
    const char *step;    /* for sentences: "Gmail messages.send"; a literal */
    const char *mailbox; /* GMAIL: whose */
    const char *method;  /* a literal */
    const char *url;     /* whole */
    const char *content_type;
    struct blob *body; /* or NULL */
    bool repeatable;   /* harmless to repeat though it may have been processed */
    size_t max_bytes;  /* of an answer; 0: 8 MiB */
};

struct google_reply {
    struct err err; /* code ERR_NONE: a 2xx */
    bool unknown;   /* it failed, but one of its attempts may have been processed */
    int status;     /* HTTP; 0: no answer */
    json_t *json;   /* the answer's body if it is JSON; done() may take it */
};

struct google_call;
typedef void google_done_fn(struct google_reply *reply, void *arg);

struct google_call *google_start(const struct google_request *rq, google_done_fn *done, void *arg);
void google_cancel(struct google_call **cp);

#endif
