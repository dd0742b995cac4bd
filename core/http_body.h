/*
 * http_body.h - the body of a request while it arrives: in one piece of memory, up to a limit of
 * its own and one of all that are held.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base.h"
#include "blob.h"
#include "err.h"

struct http_body {
    size_t length;         /* that the head announces; 0: none */
    size_t len;            /* of what is kept, or has been taken */
    char *data;            /* NULL: nothing, or taken */
    size_t cap;            /* of data */
    bool dropped;          /* nobody wants it: what comes is not kept */
    enum err_code refusal; /* why it is not: it is too large, or there are too many */
};

void http_body_limit(size_t max); /* bytes of one */

/* What the head says: a length that is too large is refused. */
void http_body_expect(struct http_body *b, size_t length);

/* Do n bytes more make it worth asking whether anybody wants it?  Once for each body. */
bool http_body_is_large(const struct http_body *b, size_t n);
void http_body_drop(struct http_body *b);

/* -1: out of memory.  What is refused or dropped is let go of, and nothing is added. */
int http_body_add(struct http_body *b, const char *data, size_t n);

/* All of it, which counts as held until http_body_free(); NULL: out of memory. */
struct blob *http_body_take(struct http_body *b);
void http_body_free(struct http_body *b);

/* The refusal as a sentence. */
void http_body_refusal(const struct http_body *b, struct err *e);

#endif
