/*
 * fetch_easy.h - easy handles of curl: made and set up once, and kept from one request to the next
 * with the URL that it was for, since most requests are for one that was asked before.
 */
#ifndef FETCH_EASY_H
#define FETCH_EASY_H

#include <curl/curl.h>

#include "base.h"
#include "err.h"
#include "fetch.h"

struct fetch_easy {
    CURL *curl;
    void *user; /* whose it is now */
    char *url;  /* absolute, http or https */
    bool tls;
    char fault[CURL_ERROR_SIZE]; /* curl's sentence on what went wrong, or "" */
    CURLU *parts;
};

/* Options that are the user's own and the same for all of its requests; what its callbacks are
 * given is `easy`.  False: curl lacks one of them. */
typedef bool fetch_easy_prepare_fn(struct fetch_easy *easy);

/* A handle for a URL, without a multi.  What its last request set is still set: headers, method,
 * body, HTTP version, time-out.  NULL and *e: ERR_INTERNAL_ERROR. */
struct fetch_easy *fetch_easy_take(const char *url, fetch_easy_prepare_fn *prepare, struct err *e);

/* worn: it is not to be used again.  NULL-safe. */
void fetch_easy_give(struct fetch_easy *easy, bool worn);

/* scheme://host[:port]: all of the URL that may be told. */
void fetch_easy_origin(const struct fetch_easy *easy, char origin[FETCH_ORIGIN_SIZE]);

/* Free those that nobody uses. */
void fetch_easy_close(void);

#endif
