/*
 * auth_key.h - API keys: 256 random bits, of which API_KEYS has the SHA-256 alone.
 */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "base.h"
#include "crypto.h"
#include "env.h"

#define AUTH_KEY_PREFIX "paraph_" /* mask.c knows keys by it, and so do scanners for secrets */
#define AUTH_KEY_SIZE   (sizeof(AUTH_KEY_PREFIX) + 43)

/* A new key, and its SHA-256. */
void auth_key_make(char key[AUTH_KEY_SIZE], char sha256[CRYPTO_SHA256_HEX]);

/* Whose key it is; NULL: nobody's.  In a time that tells nothing of the keys there are. */
const struct env_key *auth_key_find(const char *key, size_t n);

#endif
