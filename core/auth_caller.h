/*
 * auth_caller.h - who calls: the methods of AUTH, tried in order.
 *
 * The credentials are borrowed until done() or auth_caller_cancel().  A refusal's sentence is for
 * the log: it says what is wrong with what was given, and nothing secret.
 */
#ifndef AUTH_CALLER_H
#define AUTH_CALLER_H

#include "base.h"
#include "crypto.h"
#include "env.h"
#include "err.h"

#define AUTH_CALLER_NAME_MAX 254

/* Values of the request's headers; NULL: it has none. */
struct auth_credentials {
    const char *authorization;
    const char *serverless_authorization; /* X-Serverless-Authorization */
    const char *api_key;                  /* X-API-Key */
    const char *iap_assertion;            /* X-Goog-IAP-JWT-Assertion */
    const char *cookie;
};

struct auth_identity {
    enum env_auth method;
    char name[AUTH_CALLER_NAME_MAX + 1]; /* of a key, or an e-mail address, or "anonymous" */
    bool has_roles;                      /* it brings its roles along */
    unsigned roles;                      /* role.h */
    bool ambient; /* a browser adds the credentials by itself, whoever made it ask */
    char session[CRYPTO_SHA256_HEX]; /* id of the session that he is signed in by, or "" */
};

/* e->code: ERR_UNAUTHENTICATED; ERR_FORBIDDEN: known, but not in AUTH_ALLOWED; or what kept us from
 * finding out. */
typedef void auth_caller_done_fn(const struct err *e, const struct auth_identity *who, void *arg);

struct auth_caller;

/* NULL when it has ended already (done was called). */
struct auth_caller *auth_caller_start(const struct auth_credentials *given,
                                      auth_caller_done_fn *done, void *arg);
void auth_caller_cancel(struct auth_caller **cp); /* NULL-safe, sets *cp to NULL */

#endif
