/*
 * http.h - HTTP server: libmicrohttpd with its epoll descriptor on our loop.
 *
 * A request belongs to http.c from on_request() or on_refused() to on_end().  In between, exactly
 * one http_reply() is due: from inside the callback or later, from the loop.  After on_end() the
 * request is gone.
 *
 * What a head must be is in http_head.h, how connections end in http_conn.h.  What libmicrohttpd
 * refuses before it has a whole head (a line without a colon, a version that is not 1.x, a head
 * that does not fit into its memory), and malformed chunks and trailers, it answers itself, in HTML
 * and without a handler; it closes the connection then.
 */
#ifndef HTTP_H
#define HTTP_H

#include "base.h"
#include "blob.h"
#include "err.h"

struct http_request {
    const char *method;  /* as sent; "": refused without a look at it */
    const char *version; /* "HTTP/1.1"; NULL: as with the method */
    const char *target;  /* path and query as sent, not decoded */
    struct blob *body;   /* NULL: empty, or taken: the handler may, and leaves NULL */
    size_t body_length;  /* bytes of it, also of one that was taken */
    size_t reply_length; /* after http_reply(): bytes of the answer's body */
    void *user;          /* the handler's own */
};

struct http_header {
    const char *name;
    const char *value;
};

struct http_handler {
    /* A large body has begun: is it worth keeping?  One that is not is read to its end and dropped,
     * and the request is complete without it. */
    bool (*keeps_body)(const struct http_request *r);
    /* The request is complete. */
    void (*on_request)(struct http_request *r);
    /* The request is malformed or too large; answer with this. */
    void (*on_refused)(struct http_request *r, const struct err *e);
    /* The client left while the answer was awaited; the reply is due all the same. */
    void (*on_gone)(struct http_request *r);
    /* Answered, or the connection is lost. */
    void (*on_end)(struct http_request *r);
};

/* Bind and listen; *port 0 takes a free one and sets it.  Others may share the port only if all of
 * them do. */
int http_listen(const char *host, uint16_t *port, bool shared, struct err *e);

/* The same for a moment and alone: whether anybody has the port, which those who share it cannot
 * tell. */
int http_probe(const char *host, uint16_t *port, struct err *e);

/* Accept and serve; handler stays the caller's. */
int http_init(const struct http_handler *handler, size_t max_body, struct err *e);

/* Accept no more; answers from now on close their connections. */
void http_quiesce(void);

/* No request may be awaiting its reply. */
void http_fini(void);

void http_reply(struct http_request *r, int status, const struct http_header *headers,
                size_t nheaders, struct blob *body);

/* Value of the first header of that name (any case), or NULL. */
const char *http_header(const struct http_request *r, const char *name);

void http_each_header(const struct http_request *r,
                      void (*fn)(const char *name, const char *value, void *arg), void *arg);

/* The peer's address as text. */
const char *http_remote(const struct http_request *r);

#endif
