#include "crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define SHA1_LEN 20
#define UUID_LEN 16

/* OpenSSL fails here only without memory or entropy: going on would mean guessable ids or hashes
 * of nothing. */
static void require(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "paraph: cannot go on: OpenSSL failed in %s\n", what);
    abort();
}

void crypto_random(void *out, size_t n) {
    require(RAND_bytes_ex(NULL, out, n, 0) == 1, "RAND_bytes_ex");
}

/* The digest of two pieces, one after the other. */
static void digest(const EVP_MD *md, unsigned char *out, const void *a, size_t na, const void *b,
                   size_t nb) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    require(ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
                EVP_DigestUpdate(ctx, a, na) == 1 && EVP_DigestUpdate(ctx, b, nb) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1,
            "EVP_Digest");
    EVP_MD_CTX_free(ctx);
}

void crypto_sha256(unsigned char out[CRYPTO_SHA256_LEN], const void *p, size_t n) {
    digest(EVP_sha256(), out, p, n, NULL, 0);
}

static char *put_hex(char *to, const unsigned char *p, size_t n) {
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *to++ = digits[p[i] >> 4];
        *to++ = digits[p[i] & 15];
    }
    return to;
}

void crypto_sha256_hex(char out[CRYPTO_SHA256_HEX], const void *p, size_t n) {
    unsigned char hash[CRYPTO_SHA256_LEN];

    crypto_sha256(hash, p, n);
    *put_hex(out, hash, sizeof(hash)) = '\0';
}

/* Set version and variant (RFC 9562 §4.1, §4.2) and write 8-4-4-4-12 digits. */
static void format_uuid(char out[CRYPTO_UUID_SIZE], unsigned char u[UUID_LEN], unsigned version) {
    u[6] = (unsigned char)((u[6] & 0x0F) | version << 4);
    u[8] = (unsigned char)((u[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < UUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        out = put_hex(out, &u[i], 1);
    }
    *out = '\0';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The 16 bytes of a UUID's text; false if it is none. */
static bool parse_uuid(unsigned char u[UUID_LEN], const char *s, size_t n) {
    size_t digits = 0;

    if (n != CRYPTO_UUID_LEN)
        return false;
    memset(u, 0, UUID_LEN);
    for (size_t i = 0; i < n; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s[i] != '-')
                return false;
            continue;
        }
        if (hex_value(s[i]) < 0)
            return false;
        u[digits / 2] = (unsigned char)(u[digits / 2] << 4 | hex_value(s[i]));
        digits++;
    }
    return true;
}

void crypto_uuid4(char out[CRYPTO_UUID_SIZE]) {
    unsigned char u[UUID_LEN];

    crypto_random(u, sizeof(u));
    format_uuid(out, u, 4);
}

int crypto_uuid5(char out[CRYPTO_UUID_SIZE], const char *ns, const char *name, size_t n) {
    unsigned char space[UUID_LEN], hash[SHA1_LEN];

    if (!parse_uuid(space, ns, strlen(ns)))
        return -1;
    digest(EVP_sha1(), hash, space, sizeof(space), name, n);
    format_uuid(out, hash, 5);
    return 0;
}

bool crypto_is_uuid(const char *s, size_t n) {
    unsigned char u[UUID_LEN];

    return parse_uuid(u, s, n);
}

bool crypto_equal(const void *a, const void *b, size_t n) {
    return CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_wipe(char *secret) {
    if (secret != NULL)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}
