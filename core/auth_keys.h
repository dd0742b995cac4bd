/*
 * auth_keys.h - the public keys that ID tokens are signed with, as Google publishes them.
 *
 * Kept for as long as their Cache-Control says, and asked for once however many wait.  Beyond that
 * time nobody waits for newer ones whose key is known: for five minutes, and for a day if Google
 * cannot be reached.  A key that is not among them may be a new one: then they are asked for again,
 * but not often, whoever makes up names of keys.
 */
#ifndef AUTH_KEYS_H
#define AUTH_KEYS_H

#include "base.h"
#include "crypto.h"
#include "err.h"

enum auth_keys_source {
    AUTH_KEYS_GOOGLE, /* GOOGLE_JWKS_URL: RSA */
    AUTH_KEYS_IAP     /* IAP_JWKS_URL: P-256 */
};
#define AUTH_KEYS_SOURCES 2

struct auth_keys_call;

/* key NULL without an error: there is none of that id.  The key is valid inside done() only. */
typedef void auth_keys_done_fn(const struct err *e, const struct crypto_key *key, void *arg);

int auth_keys_init(struct err *e);
void auth_keys_fini(void);

/* NULL when it has ended already (done was called). */
struct auth_keys_call *auth_keys_find(enum auth_keys_source source, const char *kid,
                                      auth_keys_done_fn *done, void *arg);
void auth_keys_cancel(struct auth_keys_call **cp); /* NULL-safe, sets *cp to NULL */

#endif
