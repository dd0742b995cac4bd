/*
 * auth_mailbox.h - the legs of a chain that lead to a mailbox's token, by domain-wide delegation:
 * signJwt, then the exchange of the assertion (RFC 7523).
 */
#ifndef AUTH_MAILBOX_H
#define AUTH_MAILBOX_H

#include "auth_leg.h"

/* The order says whose; the own token is in the chain.  With the goal SIGNING_KEY it ends behind
 * signJwt.  -1 and *e, or the chain ends later. */
int auth_mailbox_start(struct auth_chain *c, struct err *e);

#endif
