/*
 * google_error.h - what a server of Google says when it refuses.
 *
 * Three dialects, often mixed: google.rpc's envelope (IAM, Firestore; inside an array where the
 * answer is a stream), the older one with errors[] (Gmail), and RFC 6749 §5.2 (the token
 * endpoint).  A body may also be HTML, or missing: then the status and the headers are all there
 * is.
 *
 * Pure functions.  Texts come out as valid UTF-8 without control characters, and what looks like
 * one of Google's secrets is masked: they may be told and logged.
 */
#ifndef GOOGLE_ERROR_H
#define GOOGLE_ERROR_H

#include <jansson.h>

#include "base.h"
#include "buf.h"
#include "fetch.h"

struct google_error {
    int status;        /* HTTP */
    char legacy[64];   /* errors[0].reason: "rateLimitExceeded" */
    char info[64];     /* details[].reason: "SERVICE_DISABLED" */
    char word[64];     /* error.status: "PERMISSION_DENIED"; RFC 6749: "invalid_grant" */
    char subtype[64];  /* RFC 6749, Google's addition: "invalid_rapt" */
    char message[480]; /* for people, in Google's words */
    char scopes[256];  /* what the token would have needed, space-separated */
    char consumer[64]; /* the project that was looked at: "123456789" */
    int retry_after;   /* seconds, 1 to 86400; 0: not said */
};

/* Read an answer of status >= 400, or a stream that ended in an error.  `body` is NULL where it is
 * no JSON.  now_us: the wall clock, for answers that name an instant. */
void google_error_read(struct google_error *out, int status, const struct fetch_header *headers,
                       size_t nheaders, const json_t *body, int64_t now_us);

/* The element of a streamed answer (an array) that tells of an error, and the HTTP status that
 * goes with it; NULL if all went well. */
const json_t *google_error_in_stream(const json_t *body, int *status);

/* errors[0].reason, else details[].reason, else the status word; "" if there is none. */
const char *google_error_reason(const struct google_error *ge);

/* Is `word` any of the words it gives? */
bool google_error_is(const struct google_error *ge, const char *word);

/* Append foreign text as it may be told: no control characters, no secrets. */
void google_error_add_clean(struct buf *out, const char *s, size_t n);

#endif
