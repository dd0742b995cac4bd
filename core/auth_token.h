/*
 * auth_token.h - what has to be true of an ID token but its signature: issuer, audience, time, and
 *   whose it is.
 *
 * Pure functions of the token, the configuration (env) and a time.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth_keys.h"
#include "base.h"
#include "err.h"
#include "jwt.h"

#define AUTH_TOKEN_EMAIL_MAX 254
#define AUTH_TOKEN_SKEW_S    30 /* by which clocks may differ */

/* The address in lower case.  -1 and *e: ERR_UNAUTHENTICATED with the reason for the log. */
int auth_token_check(const struct jwt *t, enum auth_keys_source source, int64_t now_s,
                     char email[AUTH_TOKEN_EMAIL_MAX + 1], struct err *e);

/* The address of a token that Cloud Run has checked in front of us. */
int auth_token_read_email(const struct jwt *t, char email[AUTH_TOKEN_EMAIL_MAX + 1], struct err *e);

#endif
