/*
 * auth_client_id.h - the numeric id of the service account that signs: what the Admin console wants
 * to be given, and no configuration has.
 *
 * It is the subject of the account's ID tokens.  The metadata server gives those of the account it
 * is for; IAM gives those of any account that the caller may sign as.
 */
#ifndef AUTH_CLIENT_ID_H
#define AUTH_CLIENT_ID_H

#include "auth_leg.h"

/* Ask, in a chain whose order has the account and that has the own token; no leg is under way. Then
 * c->known(c, id), id NULL where it cannot be known, goes on or ends the chain.  -1 and *e: it
 * cannot be asked for. */
int auth_client_id_start(struct auth_chain *c, void (*known)(struct auth_chain *c, const char *id),
                         struct err *e);

#endif
