/*
 * fetch_multi.h - libcurl's multi handles on the loop: sockets, timers, connections.
 *
 * For fetch.c, which owns the easy handles.  Nothing exists before the first transfer.
 */
#ifndef FETCH_MULTI_H
#define FETCH_MULTI_H

#include <curl/curl.h>

#include "base.h"
#include "err.h"

/* Transfers of one lane share connections. */
enum fetch_lane {
    FETCH_TLS,       /* HTTP/2 where the server speaks it, else HTTP/1.1 */
    FETCH_TLS_HTTP1, /* HTTP/1.1, whatever else the server speaks */
    FETCH_PLAIN      /* HTTP/1.1 in the clear */
};

struct fetch_multi;

/* Called from the loop when a transfer has ended; it removes it from its multi, and may add others.
 * None of that comes back here. */
typedef void fetch_multi_end_fn(CURL *easy, CURLcode rc);

/* Before its first transfer. */
void fetch_multi_prepare(CURL *easy);

/* Start a transfer; the loop runs for as long as there is one.  NULL and *e: it cannot be. */
struct fetch_multi *fetch_multi_add(enum fetch_lane lane, CURL *easy, fetch_multi_end_fn *on_end,
                                    struct err *e);

/* Nothing is heard of it any more. */
void fetch_multi_remove(struct fetch_multi *m, CURL *easy);

/* Close all connections.  No transfer is left; loop_fini() comes after it. */
void fetch_multi_close(void);

#endif
