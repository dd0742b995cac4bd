/*
 * google_remedy.h - from an error of Google's to a sentence that names the step and the remedy.
 *
 * One table of symptoms for all of Google's servers.  Pure functions.
 */
#ifndef GOOGLE_REMEDY_H
#define GOOGLE_REMEDY_H

#include "base.h"
#include "err.h"
#include "google_error.h"

enum google_peer { /* who answered; bits, for the table's sake */
                   GOOGLE_PEER_METADATA = 1,
                   GOOGLE_PEER_REFRESH =
                       2, /* the token endpoint, asked with a person's refresh token */
                   GOOGLE_PEER_IAM = 4,
                   GOOGLE_PEER_EXCHANGE = 8, /* the token endpoint, asked with a signed assertion */
                   GOOGLE_PEER_GMAIL = 16,
                   GOOGLE_PEER_FIRESTORE = 32,
                   GOOGLE_PEER_KEYS = 64 /* the public keys of ID tokens */
};

/* What the sentences may speak of; NULL where it is not known. */
struct google_names {
    const char *step;      /* "signJwt" */
    const char *account;   /* the service account that signs */
    const char *client_id; /* its numeric one */
    const char *mailbox;
    const char *scopes; /* asked for, space-separated */
    const char *quota_project;
};

/* The code of a failure at `peer` for which there is no better one. */
enum err_code google_remedy_code(enum google_peer peer);

/* The variable that says where `peer` is, for when it cannot be reached; NULL: none is set. */
const char *google_remedy_place(enum google_peer peer);

/* Fill *e, with its reason: "<step>: <what is wrong and what to do> (<status> <reason>: <Google's
 * words>)", at most 500 bytes. */
void google_remedy_tell(struct err *e, enum google_peer peer, const struct google_error *ge,
                        const struct google_names *names);

#endif
