/*
 * err.h - why something failed: a code from one closed list, and a sentence for a person.
 *
 * A function that can fail for reasons outside the program takes a `struct err *` as its last
 * parameter and returns -1 or NULL.  The deepest place that knows the reason fills it, once.
 * It holds no pointers: copy it freely, nobody frees it.  It is large: what lives long keeps it by
 * err_keep().
 */
#ifndef ERR_H
#define ERR_H

#include "base.h"

/* code, its word in answers, the HTTP status it is answered with */
#define ERR_CODES(X)                                                                               \
    X(MALFORMED_REQUEST, "malformed_request", 400)                                                 \
    X(MALFORMED_JSON, "malformed_json", 400)                                                       \
    X(INVALID_FIELD, "invalid_field", 400)                                                         \
    X(UNKNOWN_FIELD, "unknown_field", 400)                                                         \
    X(INVALID_RECIPIENT, "invalid_recipient", 400)                                                 \
    X(UNAUTHENTICATED, "unauthenticated", 401)                                                     \
    X(FORBIDDEN, "forbidden", 403)                                                                 \
    X(REFUSED_BY_POLICY, "refused_by_policy", 403)                                                 \
    X(NOT_FOUND, "not_found", 404)                                                                 \
    X(DRAFT_NOT_FOUND, "draft_not_found", 404)                                                     \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405)                                               \
    X(ALREADY_SENT, "already_sent", 409)                                                           \
    X(REJECTED, "rejected", 409)                                                                   \
    X(IN_PROGRESS, "in_progress", 409)                                                             \
    X(CHANGED_SINCE_REVIEW, "changed_since_review", 409)                                           \
    X(IDEMPOTENCY_CONFLICT, "idempotency_conflict", 409)                                           \
    X(ALREADY_EXISTS, "already_exists", 409)                                                       \
    X(CONFLICT, "conflict", 409)                                                                   \
    X(PAYLOAD_TOO_LARGE, "payload_too_large", 413)                                                 \
    X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415)                                       \
    X(EXPECTATION_FAILED, "expectation_failed", 417)                                               \
    X(RATE_LIMITED, "rate_limited", 429)                                                           \
    X(HEADERS_TOO_LARGE, "headers_too_large", 431)                                                 \
    X(POLICY_ERROR, "policy_error", 500)                                                           \
    X(INTERNAL_ERROR, "internal_error", 500)                                                       \
    X(GMAIL_ERROR, "gmail_error", 502)                                                             \
    X(FIRESTORE_ERROR, "firestore_error", 502)                                                     \
    X(AUTH_ERROR, "auth_error", 502)                                                               \
    X(FETCH_ERROR, "fetch_error", 502)                                                             \
    X(STORE_ERROR, "store_error", 503)                                                             \
    X(NO_SEND, "no_send", 503)                                                                     \
    X(OVERLOADED, "overloaded", 503)                                                               \
    X(SHUTTING_DOWN, "shutting_down", 503)                                                         \
    X(CANCELLED, "cancelled", 503)                                                                 \
    X(TIMEOUT, "timeout", 504)

enum err_code {
    ERR_NONE,
#define X(name, word, status) ERR_##name,
    ERR_CODES(X)
#undef X
};

struct err {
    enum err_code code;
    int retry_after;   /* seconds; 0: not known */
    char field[96];    /* the request field at fault, or "" */
    char reason[64];   /* in the word of the API that refused: "notFound", "invalid_grant"; or "" */
    char message[512]; /* one sentence, UTF-8, nothing secret */
};

/* Fill *e (if not NULL) and return -1, so that a caller can `return err_set(...)`. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same, naming the request field at fault ("to", "attachments[2].content"). */
int err_set_field(struct err *e, enum err_code code, const char *field, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* An err that is kept: a copy of its own, so that what has not failed needs no room for one.  NULL
 * if e is NULL or ERR_NONE; without memory it is one that says so. */
const struct err *err_keep(const struct err *e);
void err_let_go(const struct err **kept); /* NULL-safe, sets *kept to NULL */

/* The code's word in answers, and its HTTP status; "" and 500 for ERR_NONE. */
const char *err_word(enum err_code code);
int err_status(enum err_code code);

/* The code of a word; ERR_NONE if there is none. */
enum err_code err_from_word(const char *word);

#endif
