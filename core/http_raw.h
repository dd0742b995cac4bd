/*
 * http_raw.h - an answer written past libmicrohttpd, where it does not take one.
 */
#ifndef HTTP_RAW_H
#define HTTP_RAW_H

#include "base.h"
#include "blob.h"
#include "http.h"

/* As much of it as the socket takes at once, which is all unless it is congested; then the end of
 * what can be written to the socket. */
void http_raw_reply(int fd, int status, const struct http_header *headers, size_t nheaders,
                    const struct blob *body);

#endif
