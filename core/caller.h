/*
 * caller.h - who a request comes from, and whether he may have it carried out: credentials, roles,
 *   origin, and how often.
 *
 * A caller belongs to its request and is valid as long as that; caller_end() comes before its end,
 * whether done() has been called or not.
 */
#ifndef CALLER_H
#define CALLER_H

#include "auth_caller.h"
#include "base.h"
#include "err.h"
#include "gen.h"
#include "http.h"
#include "log.h"
#include "loop.h"

/* e->code ERR_NONE: he may.  What else it says is for the caller to read. */
typedef void caller_done_fn(const struct err *e, void *arg);

struct caller {
    const struct http_request *http;
    struct gen *gen;
    const struct gen_route *route;
    const struct log_scope *scope;
    caller_done_fn *done;
    void *arg;
    struct auth_caller *asking;  /* NULL: nothing under way */
    struct loop_timer *deadline; /* of asking */
    struct auth_identity who;    /* once done; of a public route "anonymous", without roles */
    char *why;                   /* it was refused: the reason, for the log; or NULL */
};

int caller_init(struct err *e);
void caller_fini(void);

/* Without any, whoever it is will be refused. */
bool caller_shows_credentials(const struct http_request *http);

/* Who sent it, and may he take the route, which is of g?  done() may be called before this returns,
 * and is at the latest when the time of the route is up. */
void caller_start(struct caller *c, const struct http_request *http, struct gen *g,
                  const struct gen_route *route, const struct log_scope *scope,
                  caller_done_fn *done, void *arg);
void caller_end(struct caller *c);

/* Where it came from: the peer, or on Cloud Run whom the front end there has seen.  Text that need
 * not be an address. */
#define CALLER_ADDRESS_SIZE 64
void caller_address(const struct http_request *http, char out[CALLER_ADDRESS_SIZE]);

/* Count an attempt at getting in that failed.  -1 and *e: ERR_RATE_LIMITED, it is one too many from
 * its address, and that is what it is told.  Who has valid credentials gets in all the same: others
 * may have the same address, such as that of a proxy. */
int caller_failed(const struct caller *c, struct err *e);

#endif
