/*
 * http_conn.h - the connections of http.c: how many, how long each may take, and who has left.
 *
 * A connection waits for its client, which has to send a head, to send a body or to take an answer,
 * or it waits for us.  Who keeps us waiting has until a deadline, which every byte does not start
 * anew: a byte now and then keeps no connection.
 *
 * There is always room for one more.  If there are too many, the one that has waited longest for
 * its client is closed: one for a head (most are idle), or else one in the middle of a transfer.
 * One address may have half of all; its next one takes the place of another of its own.  What waits
 * for us is never closed.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <sys/socket.h>

#include "base.h"
#include "err.h"

struct http_conn;
struct http_request;

/* What a connection waits for. */
enum http_wait { HTTP_WAIT_HEAD, HTTP_WAIT_BODY, HTTP_WAIT_TAKEN, HTTP_WAIT_US };

/* on_gone: the client of a request that is suspended has left. */
int http_conn_init(void (*on_gone)(struct http_request *r), struct err *e);

/* How many there may be, as the descriptors that the process may open allow. */
unsigned http_conn_limit(void);

/* All connections must be closed. */
void http_conn_fini(void);

/* Make room for one more from this address.  False: there is none, let it not in. */
bool http_conn_admit(const struct sockaddr *peer);

/* NULL: no memory. */
struct http_conn *http_conn_open(int fd, const struct sockaddr *peer);
void http_conn_close(struct http_conn *c);

/* The client's address, without its port. */
const char *http_conn_remote(const struct http_conn *c);

/* It is closed as soon as libmicrohttpd sees it: what still comes in on it is not to be done. */
bool http_conn_is_cut(const struct http_conn *c);

/* libmicrohttpd has closed it after a silence, which is to be in the report. */
void http_conn_timed_out(const struct http_conn *c);

/* From now on it waits for that; n: bytes that the client has to take (HTTP_WAIT_TAKEN). */
void http_conn_wait(struct http_conn *c, enum http_wait what, size_t n);

/* n more bytes of the body have come. */
void http_conn_received(struct http_conn *c, size_t n);

/* The request waits for its answer, and is told of its client's leaving, which may have been before
 * this; until the same with NULL. */
void http_conn_suspend(struct http_conn *c, struct http_request *r);

#endif
