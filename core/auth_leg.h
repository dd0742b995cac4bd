/*
 * auth_leg.h - what the legs of a token's chain have in common: how they ask, and how they read
 * what is answered.  For auth_chain.c and those behind it alone.
 *
 * One leg is under way at a time.  Its callback first sets c->exchange to NULL; then it starts the
 * next leg, or ends the chain by one of the functions that say so, after which c is gone.
 */
#ifndef AUTH_LEG_H
#define AUTH_LEG_H

#include "auth_adc.h"
#include "auth_chain.h"
#include "base.h"
#include "buf.h"
#include "err.h"
#include "google_exchange.h"
#include "loop.h"

#define AUTH_LEG_REQUEST_MAX (64 * KIB)
#define AUTH_LEG_FORM        "application/x-www-form-urlencoded"

struct auth_chain {
    struct auth_chain_order order;
    auth_chain_done_fn *done;
    void *arg;
    struct auth_adc adc;
    char *bearer, *quota_project; /* the own token, where a leg needs or has found it */
    struct google_exchange_request rq;
    struct google_exchange *exchange;
    struct loop_timer *timer; /* a value that is known from the start */
    char *url, *authorization;
    struct auth_chain_result failure; /* while the client id is looked up for its remedy */
    struct google_error error;
    void (*known)(struct auth_chain *c, const char *id); /* when it was, auth_client_id.h */
};

/* POST `body`, which is overwritten and freed, to `url`, which is taken over.  IAM gets the own
 * token.  On failure -1 and *e, and the chain goes on. */
int auth_leg_post(struct auth_chain *c, enum google_peer peer, const char *step, char *url,
                  const char *type, struct buf *body, google_exchange_done_fn *on_answer,
                  struct err *e);

/* GET a path of the metadata server; an answer is JSON, or text. */
int auth_leg_ask_metadata(struct auth_chain *c, const char *path, bool text,
                          google_exchange_done_fn *on_answer, struct err *e);

/* Is it the metadata server's answer, and a good one?  If not, the chain has ended. */
bool auth_leg_check_metadata(struct auth_chain *c, const struct google_answer *a);

/* GCE_METADATA_HOST, or Cloud Run: there surely is a metadata server. */
bool auth_leg_is_google_cloud(void);

/* Let go of the last leg's request. */
void auth_leg_forget(struct auth_chain *c);

void auth_leg_add_field(struct buf *form, const char *name, const char *value);
char *auth_leg_format(const char *fmt, ...) PRINTF_LIKE(1, 2); /* malloc'd, or NULL */

/* Fit for a header: visible ASCII.  NULL is not. */
bool auth_leg_is_token(const char *s);

/* These end the chain: with the token under `name`, or with an error. */
void auth_leg_take_token(struct auth_chain *c, const struct google_answer *a, const char *name);
void auth_leg_malformed(struct auth_chain *c, const char *what);
void auth_leg_fail(struct auth_chain *c, const struct google_answer *a);
void auth_leg_fail_with(struct auth_chain *c, const struct err *e, bool transient);
void auth_leg_finish(struct auth_chain *c, const struct auth_chain_result *r);

/* Free a chain that has no leg under way. */
void auth_leg_destroy(struct auth_chain *c);

#endif
