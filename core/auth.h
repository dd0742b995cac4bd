/*
 * auth.h - access tokens for Google's APIs, without a key file.
 *
 * Two kinds.  The service's own token comes from the metadata server on Cloud Run, or from
 * Application Default Credentials on a laptop.  A mailbox's token comes by domain-wide delegation:
 * own token → IAM signJwt → OAuth token exchange (RFC 7523).  Both are cached until their margin
 * of refresh, refreshed in the background, and asked for once however many wait.
 *
 * A failure's reason is that of signing or of the exchange: "invalid_grant" says that there is no
 * such mailbox.
 *
 * The token given to done() is valid inside the call only.  It never reaches a log, a script or an
 * err.
 */
#ifndef AUTH_H
#define AUTH_H

#include "base.h"
#include "err.h"

struct auth_call;

struct auth_token {
    const char *bearer;        /* the access token */
    const char *quota_project; /* value of x-goog-user-project, or NULL: laptop credentials alone,
                                  never with a mailbox's token */
};

/* err->code ERR_NONE: there is a token. */
typedef void auth_done_fn(const struct err *e, const struct auth_token *token, void *arg);

int auth_init(struct err *e);
void auth_fini(void);

/* A token for a mailbox and its scopes (space-separated), or with mailbox NULL the service's own
 * (scope cloud-platform).  NULL when it has ended already (done was called). */
struct auth_call *auth_start(const char *mailbox, const char *scopes, auth_done_fn *done,
                             void *arg);
void auth_cancel(struct auth_call **cp); /* NULL-safe, sets *cp to NULL */

/* An API answered 401: the cached token is not used again, unless a newer one has come since. */
void auth_refused(const char *mailbox, const char *scopes, const char *bearer);

/* The identity that signs: GOOGLE_SERVICE_ACCOUNT_EMAIL, else the one that the credentials
 * impersonate, else the metadata server's.  The project: GOOGLE_CLOUD_PROJECT, else the metadata
 * server's.  What is the machine's is found out once.  value is valid inside done() only. */
typedef void auth_value_fn(const struct err *e, const char *value, void *arg);
struct auth_call *auth_service_account(auth_value_fn *done, void *arg);
struct auth_call *auth_project(auth_value_fn *done, void *arg);

/* For `paraph check`.  The key that signs: the first half of a mailbox's token, signJwt, alone. And
 * the numeric id of the account that signs, which the Admin console wants. */
struct auth_call *auth_signing_key(const char *mailbox, const char *scopes, auth_value_fn *done,
                                   void *arg);
struct auth_call *auth_client_id(auth_value_fn *done, void *arg);

#endif
