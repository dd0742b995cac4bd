/*
 * buf.h - bytes that grow up to a ceiling.
 *
 * A failure (ceiling, memory) sticks: later additions do nothing, and the writer asks once, at
 * the end, with buf_failed().  The content is always followed by a NUL that is not counted.
 * Whoever calls buf_init() calls buf_free(), unless buf_take() gave the bytes to somebody else.
 */
#ifndef BUF_H
#define BUF_H

#include <string.h>

#include "base.h"

struct buf {
    char *data; /* "" while empty, never NULL */
    size_t len;
    size_t cap; /* of data, with the NUL; no more than max + 1, and len after a failure */
    size_t max; /* ceiling for len, in bytes */
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);

/* The same for what is secret: it is overwritten.  What was moved while it grew is not: reserve. */
void buf_wipe(struct buf *b);

/* Forget the content and the failure, keep the memory. */
void buf_reset(struct buf *b);

char *buf_grow(struct buf *b, size_t n); /* for buf_reserve(), where there is no room */

/* Room for n more bytes at the end, which the caller fills and counts by adding to len; NULL on
 * failure. */
static inline char *buf_reserve(struct buf *b, size_t n) {
    return n < b->cap - b->len ? b->data + b->len : buf_grow(b, n);
}

void buf_add(struct buf *b, const void *p, size_t n);

static inline void buf_adds(struct buf *b, const char *s) {
    buf_add(b, s, strlen(s));
}

static inline void buf_addc(struct buf *b, char c) {
    if (b->cap - b->len <= 1 && buf_grow(b, 1) == NULL)
        return;
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

/* Some strings, one after the other: buf_join(b, "Bearer ", token). */
#define buf_join(b, ...) (buf_join)((b), (const char *const[]){__VA_ARGS__, NULL})
void(buf_join)(struct buf *b, const char *const *texts);

/* As printf(); slower than the others. */
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Give back the room that is left: for what is kept. */
void buf_trim(struct buf *b);

MUST_CHECK bool buf_failed(const struct buf *b);

/* The bytes as a malloc'd, NUL-terminated block that the caller frees; b is empty afterwards.
 * NULL if b has failed. */
MUST_CHECK char *buf_take(struct buf *b, size_t *len);

#endif
