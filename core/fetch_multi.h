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
    FETCH_PLAIN,     /* HTTP/1.1 in the clear */
    FETCH_TLS,       /* HTTP/2 where the server speaks it, else HTTP/1.1 */
    FETCH_TLS_HTTP1, /* HTTP/1.1, whatever else the server speaks */
    FETCH_LANES
};

/* Called from the loop when a transfer has ended; it removes the handle from its multi, and may
 * add others.  None of that comes back here. */
typedef void fetch_multi_end_fn(CURL *easy, CURLcode rc);

CURLM *fetch_multi_open(enum fetch_lane lane, fetch_multi_end_fn *on_end, struct err *e);

/* Hear of the sockets that a transfer opens and closes; before it is added. */
void fetch_multi_watch(CURL *easy);

/* Whether there are transfers that the loop has to run for: idle connections do not keep it. */
void fetch_multi_hold(bool busy);

/* Close all connections.  No transfer is left; loop_fini() comes after it. */
void fetch_multi_close(void);

#endif
