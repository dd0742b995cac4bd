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

/* Called from the loop when a transfer has ended; it removes the handle from its multi, and may
 * add others.  None of that comes back here. */
typedef void fetch_multi_end_fn(CURL *easy, CURLcode rc);

/* The multi for hosts with TLS, or without. */
CURLM *fetch_multi_open(bool tls, fetch_multi_end_fn *on_end, struct err *e);

/* Hear of the sockets that a transfer opens and closes; before it is added. */
void fetch_multi_watch(CURL *easy);

/* Whether there are transfers that the loop has to run for: idle connections do not keep it. */
void fetch_multi_hold(bool busy);

/* Close all connections.  No transfer is left; loop_fini() comes after it. */
void fetch_multi_close(void);

#endif
