/*
 * crypto.h - the only file that knows OpenSSL: hashes, random ids, secrets, signatures.
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

/* RFC 2104 with SHA-256. */
void crypto_hmac_sha256(unsigned char out[CRYPTO_SHA256_LEN], const void *key, size_t nkey,
                        const void *p, size_t n);
void crypto_hmac_sha256_hex(char out[CRYPTO_SHA256_HEX], const void *key, size_t nkey,
                            const void *p, size_t n);

/* RFC 9562 §5.4: random, lower case. */
void crypto_uuid4(char out[CRYPTO_UUID_SIZE]);

/* RFC 9562 §5.5: the same for the same name; guessable only by whoever knows the namespace.
 * -1 if `ns` is not a UUID. */
int crypto_uuid5(char out[CRYPTO_UUID_SIZE], const char *ns, const char *name, size_t n);

/* 8-4-4-4-12 hexadecimal digits, any case. */
bool crypto_is_uuid(const char *s, size_t n);

/* In time that depends on n alone. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* A public key.  What it signs is decided by its kind: RS256 (RFC 7518 §3.3) of RSA, ES256 (§3.4,
 * a signature is r and s, 32 bytes each) of the curve P-256. */
enum crypto_key_kind { CRYPTO_KEY_RSA, CRYPTO_KEY_P256 };
struct crypto_key;

/* From its numbers, most significant byte first: modulus (2048 to 8192 bits) and exponent, or a
 * point of the curve.  NULL: they are none, or there is no memory. */
struct crypto_key *crypto_key_rsa(const void *n, size_t nlen, const void *e, size_t elen);
struct crypto_key *crypto_key_p256(const void *x, size_t xlen, const void *y, size_t ylen);
void crypto_key_free(struct crypto_key *key); /* NULL-safe */
enum crypto_key_kind crypto_key_kind(const struct crypto_key *key);

/* Is it the signature of these len bytes? */
bool crypto_verify(const struct crypto_key *key, const void *p, size_t len, const void *signature,
                   size_t nsignature);

/* Overwrite a malloc'd string and free it; NULL-safe. */
void crypto_wipe(char *secret);

#endif
