/*
 * http_head.h - what RFC 9112 demands of the head of a request, where libmicrohttpd is laxer.
 *
 * Two programs that see the borders of one request differently can be played off against each
 * other (request smuggling).  So a head that could be read in two ways is refused, never repaired.
 * Pure functions over the head as libmicrohttpd has split it, in place: their input is a fuzzer's.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base.h"
#include "err.h"

#define HTTP_FIELDS_MAX 64
#define HTTP_POOL       (16 * KIB) /* libmicrohttpd's memory for the heads of request and answer */

struct http_field {
    const char *name;
    char *value;
    size_t name_len, value_len;
};

struct http_head {
    /* Where the parts of the request line begin.  Like all parts each ends with a NUL, which has
     * taken the place of the character behind it: of a space, a colon, a CR and of an LF. */
    const char *method, *path, *version;
    const char *target; /* a copy of path and query, which libmicrohttpd cuts into pieces */
    size_t size;        /* from the method to the end of the empty line */
    size_t nfields;     /* may be more than are kept */
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Whether what is left of the pool is enough for an answer's head.  If it is not, libmicrohttpd
 * closes the connection without a word, though the work is done. */
int http_head_check_size(const struct http_head *h, struct err *e);

/* The size is right: 0, or why the request has to be refused and its connection closed.  Of one
 * that is taken, the values end where their white space began. */
int http_head_check(struct http_head *h, struct err *e);

/* Of a head that has been checked: the Content-Length (0 if it has none; SIZE_MAX stands for all
 * that do not fit), and whether the body comes in chunks. */
size_t http_head_length(const struct http_head *h);
bool http_head_is_chunked(const struct http_head *h);

#endif
