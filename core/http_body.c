#include "http_body.h"

#include <stdlib.h>
#include <string.h>

#define ALL_MAX   16 /* times the limit of one */
#define FIRST_CAP (64 * KIB)

static size_t limit;
static size_t held; /* bytes of all */

void http_body_limit(size_t max) {
    limit = max;
}

void http_body_expect(struct http_body *b, size_t length) {
    b->length = length;
    if (length > limit)
        b->refusal = ERR_PAYLOAD_TOO_LARGE;
}

bool http_body_is_large(const struct http_body *b, size_t n) {
    return b->len <= FIRST_CAP && b->len + n > FIRST_CAP;
}

void http_body_free(struct http_body *b) {
    free(b->data);
    b->data = NULL;
    held -= b->len;
    b->len = b->cap = 0;
}

void http_body_drop(struct http_body *b) {
    b->dropped = true;
    http_body_free(b);
}

/* So much at once that it need not grow again, if the head has said how much comes. */
static size_t cap_for(const struct http_body *b, size_t n) {
    size_t cap = b->cap > 0 ? b->cap * 2 : b->length;

    if (cap == 0)
        cap = FIRST_CAP;
    return cap > n ? cap : n;
}

int http_body_add(struct http_body *b, const char *data, size_t n) {
    char *grown;
    size_t cap;

    if (b->dropped || b->refusal != ERR_NONE)
        return 0;
    if (n > limit - b->len)
        b->refusal = ERR_PAYLOAD_TOO_LARGE;
    else if (n > ALL_MAX * limit - held)
        b->refusal = ERR_OVERLOADED;
    if (b->refusal != ERR_NONE) {
        http_body_free(b);
        return 0;
    }
    if (b->len + n > b->cap) {
        cap = cap_for(b, b->len + n);
        if ((grown = realloc(b->data, cap)) == NULL)
            return -1;
        b->data = grown;
        b->cap = cap;
    }
    memcpy(b->data + b->len, data, n);
    b->len += n;
    held += n;
    return 0;
}

struct blob *http_body_take(struct http_body *b) {
    struct blob *blob = blob_own(b->data, b->len);

    if (blob != NULL)
        b->data = NULL;
    return blob;
}

void http_body_refusal(const struct http_body *b, struct err *e) {
    if (b->refusal == ERR_PAYLOAD_TOO_LARGE)
        err_set(e, b->refusal, "the request's body is over the limit of %zu bytes", limit);
    else
        err_set(e, b->refusal, "the requests under way hold too many bytes already; try again");
}
