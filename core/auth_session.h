/*
 * auth_session.h - sessions of people who have signed in at a browser with an API key.
 *
 * A session is a random token, which only the browser's cookie has, and a document in the store
 * under the token's SHA-256: so any instance knows it, it ends when it is closed or 12 hours old,
 * and with the key that it was opened with.  What its holder may do is what that key may do now.
 */
#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include "base.h"
#include "crypto.h"
#include "env.h"
#include "err.h"

struct scratch;

#define AUTH_SESSION_COOKIE "paraph_session"
#define AUTH_SESSION_LIFE_S (12 * 3600)

struct auth_session {
    char id[CRYPTO_SHA256_HEX]; /* the document's: no secret */
    const struct env_key *key;  /* that it was opened with */
    const char *token;          /* only of one just opened, and only inside done() */
};

/* s NULL without an error: there is no such session, or it is over. */
typedef void auth_session_done_fn(const struct err *e, const struct auth_session *s, void *arg);

struct auth_session_call;

/* `scratch`: as in a request of store.h.  NULL when it has ended already (done was called). */
struct auth_session_call *auth_session_open(const struct env_key *key, struct scratch *scratch,
                                            auth_session_done_fn *done, void *arg);
struct auth_session_call *auth_session_find(const char *token, size_t n, auth_session_done_fn *done,
                                            void *arg);
struct auth_session_call *auth_session_close(const char *id, struct scratch *scratch,
                                             auth_session_done_fn *done, void *arg);
void auth_session_cancel(struct auth_session_call **cp); /* NULL-safe, sets *cp to NULL */

/* The collection that they are in. */
const char *auth_session_collection(void);

#endif
