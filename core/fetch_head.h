/*
 * fetch_head.h - the head of a reply, line by line as curl hands it over.
 *
 * Of several responses the last one counts, not a 1xx; trailers are not headers.
 */
#ifndef FETCH_HEAD_H
#define FETCH_HEAD_H

#include "base.h"
#include "buf.h"

#define FETCH_HEAD_MAX    (64 * KIB)
#define FETCH_HEADERS_MAX 256

struct fetch_head {
    struct buf text; /* name NUL value NUL ...; names in lower case */
    size_t n;        /* headers */
    bool open;       /* its status line has been seen, and not yet its end */
};

void fetch_head_init(struct fetch_head *h);
void fetch_head_free(struct fetch_head *h);

/* False: it has more than FETCH_HEAD_MAX bytes or FETCH_HEADERS_MAX headers, or there is no memory.
 */
bool fetch_head_add(struct fetch_head *h, const char *line, size_t n);

#endif
