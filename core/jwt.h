/*
 * jwt.h - JSON Web Tokens in compact form (RFC 7519, RFC 7515 §3.1), taken apart; and sets of the
 * public keys (RFC 7517) that their signatures are checked with.
 *
 * Pure functions.  What a token says of its own algorithm chooses nothing: the kind of key that it
 * is checked with is the checker's choice.
 */
#ifndef JWT_H
#define JWT_H

#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "err.h"
#include "json_text.h"

#define JWT_MAX      (16 * KIB)
#define JWT_KID_MAX  200
#define JWT_KEYS_MAX 64

struct jwt {
    const char *text;  /* borrowed */
    size_t signed_len; /* of its bytes that are signed */
    char *alg, *kid;   /* NULL: absent */
    json_t *claims;    /* an object */
    struct buf signature;
    bool stripped; /* Cloud Run took the signature off, having checked it */
};

/* Take n bytes apart; -1 and *e: ERR_UNAUTHENTICATED with the reason.  jwt_free() either way. */
int jwt_parse(struct jwt *t, const char *text, size_t n, struct err *e);
void jwt_free(struct jwt *t);

/* Is the signature that of a key of this kind?  Its algorithm has to be named by the token, too:
 * RS256 or ES256. */
bool jwt_is_signed(const struct jwt *t, const struct crypto_key *key);

/* The keys of a set that sign with the algorithm of a kind of key, by their ids; others are left
 * out.  NULL and *e: ERR_AUTH_ERROR, it is none, or none of the keys is usable. */
struct jwt_keys;
struct jwt_keys *jwt_keys_read(const json_t *set, enum crypto_key_kind kind, struct err *e);
void jwt_keys_free(struct jwt_keys *keys); /* NULL-safe */

/* NULL: there is none of that id. */
const struct crypto_key *jwt_keys_find(const struct jwt_keys *keys, const char *kid);

#endif
