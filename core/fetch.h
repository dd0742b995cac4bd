/*
 * fetch.h - HTTP client: libcurl's multi interface on our loop.  No redirects, no cookies, no
 * decompression, no proxy.  A request whose method is not idempotent reaches the server once at
 * most; others are repeated by curl when a reused connection turns out to be dead.
 *
 * With TLS it is HTTP/2 where the server speaks it, but for large bodies: those go over HTTP/1.1.
 * A refusal (status >= 400) that ends an upload early is a reply like any other; what it says after
 * its head may be cut short.
 *
 * A transfer is owned by fetch.c from fetch_start() to its done() or fetch_cancel(); after either
 * the handle is gone.  done() is called from the loop, never from inside fetch_start().
 */
#ifndef FETCH_H
#define FETCH_H

#include "base.h"
#include "blob.h"
#include "err.h"

struct fetch;

struct fetch_header {
    const char *name; /* lower case in replies */
    const char *value;
};

struct fetch_request {
    const char *method; /* "GET" when NULL */
    const char *url;    /* http or https */
    const struct fetch_header *headers;
    size_t nheaders;
    struct blob *body;   /* streamed, not copied; NULL: none.  A reference is held. */
    uint64_t timeout_ms; /* for the whole exchange; 0: UPSTREAM_TIMEOUT */
    size_t max_bytes;    /* of the reply's body; 0: 8 MiB */
    bool http1;          /* no HTTP/2 */
    bool no_metadata;    /* not to a metadata server, whatever name leads there (fetch_peer.h) */
    bool public_only;    /* to addresses of the public Internet alone, the same */
};

struct fetch_reply {
    struct err err; /* ERR_TIMEOUT, ERR_FETCH_ERROR; code ERR_NONE: there is a status */
    bool sent;      /* with err: the request may have reached the server */
    bool lasting;   /* with err: another attempt would end in the same way */
    bool http2;     /* with err: HTTP/2 itself failed; without it there may be an answer */
    int status;
    const struct fetch_header *headers; /* the last response's; live as long as body */
    size_t nheaders;
    struct blob *body; /* never NULL without err; done() takes a reference to keep it */
};

typedef void fetch_done_fn(const struct fetch_reply *reply, void *arg);

int fetch_init(struct err *e);

/* Fails what is still under way, with done(); loop_fini() comes after it. */
void fetch_fini(void);

/* NULL and *e: ERR_INTERNAL_ERROR if the request is malformed (bad URL, control characters in a
 * header), ERR_SHUTTING_DOWN after fetch_fini(). */
struct fetch *fetch_start(const struct fetch_request *rq, fetch_done_fn *done, void *arg,
                          struct err *e);

/* Whether fetch_start() would find the request malformed: -1.  Else where it would go, as
 * "https://host:port", without what may be secret. */
#define FETCH_ORIGIN_SIZE 300
int fetch_check(const struct fetch_request *rq, char origin[FETCH_ORIGIN_SIZE], struct err *e);

void fetch_cancel(struct fetch **fp); /* NULL-safe, sets *fp to NULL */

/* Transfers under way. */
unsigned fetch_count(void);

#endif
