/*
 * origin.h - whether a request was meant: what a browser says of where it comes from.
 *
 * Any page may make a browser ask us, and the browser adds cookies, or is let in because it runs on
 * this machine.  Programs send none of these headers, and pass.  Pure functions.
 */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "base.h"
#include "err.h"

struct origin {
    const char *host;       /* the request's headers; NULL: it has none */
    const char *origin;     /* RFC 6454 §7 */
    const char *fetch_site; /* Sec-Fetch-Site */
};

/* A request that changes something: -1 and ERR_FORBIDDEN if a page of another origin made it.
 * `must_say`: a browser it is for sure, and it has to say where from. */
int origin_check(const struct origin *o, bool must_say, struct err *e);

/* Listening for this machine alone: -1 and ERR_FORBIDDEN if the request is for a name that is none
 * of this machine's.  A page whose own name is made to lead here (DNS rebinding) is of our origin
 * to a browser.  `known`: one more name, or NULL. */
int origin_check_loopback(const struct origin *o, const char *known, struct err *e);

#endif
