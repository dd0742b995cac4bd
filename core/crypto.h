/*
 * crypto.h - the only file that knows OpenSSL: hashes, random ids, secrets.
 */
#ifndef CRYPTO_H
#define CRYPTO_H

#include "base.h"

#define CRYPTO_SHA256_LEN 32
#define CRYPTO_SHA256_HEX (2 * CRYPTO_SHA256_LEN + 1)
#define CRYPTO_UUID_LEN   36
#define CRYPTO_UUID_SIZE  (CRYPTO_UUID_LEN + 1)

/* n unpredictable bytes; the process ends if the system has none to give. */
void crypto_random(void *out, size_t n);

void crypto_sha256(unsigned char out[CRYPTO_SHA256_LEN], const void *p, size_t n);
void crypto_sha256_hex(char out[CRYPTO_SHA256_HEX], const void *p, size_t n);

/* RFC 9562 §5.4: random, lower case. */
void crypto_uuid4(char out[CRYPTO_UUID_SIZE]);

/* RFC 9562 §5.5: the same for the same name; guessable only by whoever knows the namespace.
 * -1 if `ns` is not a UUID. */
int crypto_uuid5(char out[CRYPTO_UUID_SIZE], const char *ns, const char *name, size_t n);

/* 8-4-4-4-12 hexadecimal digits, any case. */
bool crypto_is_uuid(const char *s, size_t n);

/* In time that depends on n alone. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* Overwrite a malloc'd string and free it; NULL-safe. */
void crypto_wipe(char *secret);

#endif
