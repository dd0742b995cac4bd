/*
 * auth_chain.h - the exchanges that lead to a token, or to a name that goes with it.  No cache, no
 * waiting line: auth.c has those.
 *
 * The strings of an order are borrowed until done() or auth_chain_cancel(), but for bearer and
 * quota_project, which are copied.  done() is called from the loop, never from inside
 * auth_chain_start(), and ends the chain; the strings of its result are valid inside the call only.
 */
#ifndef AUTH_CHAIN_H
#define AUTH_CHAIN_H

#include "base.h"
#include "err.h"

struct auth_chain;

enum auth_chain_goal {
    AUTH_CHAIN_OWN,     /* this process's own token, of Application Default Credentials */
    AUTH_CHAIN_ACCOUNT, /* the address of the service account that signs */
    AUTH_CHAIN_PROJECT, /* the id of the project */
    /* These begin with the account and the own token. */
    AUTH_CHAIN_MAILBOX,     /* own token → signJwt → token exchange */
    AUTH_CHAIN_SIGNING_KEY, /* the id of the key that signs: the same, up to signJwt */
    AUTH_CHAIN_CLIENT_ID    /* the account's numeric id */
};

struct auth_chain_order {
    enum auth_chain_goal goal;
    uint64_t deadline_ms;         /* of clock_monotonic_ms() */
    const char *mailbox, *scopes; /* MAILBOX, SIGNING_KEY */
    /* From MAILBOX on: */
    const char *account;                /* that signs */
    const char *bearer, *quota_project; /* the own token */
};

struct auth_chain_result {
    struct err err;
    bool transient; /* with err: it may succeed in a moment */
    bool refused;   /* with err: the own token was, by a 401; it is the value */
    const char *value;
    const char *quota_project; /* or NULL */
    uint64_t life_ms;          /* UINT64_MAX: it does not end */
};

typedef void auth_chain_done_fn(const struct auth_chain_result *r, void *arg);

/* NULL and *e where it is clear at once that it cannot be done. */
struct auth_chain *auth_chain_start(const struct auth_chain_order *order, auth_chain_done_fn *done,
                                    void *arg, struct err *e);
void auth_chain_cancel(struct auth_chain **cp); /* NULL-safe, sets *cp to NULL */

#endif
