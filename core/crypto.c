#include "crypto.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "err.h"
#include "late.h"

#define SHA1_LEN 20
#define UUID_LEN 16

/* Going on would mean guessable ids, or hashes of nothing. */
static void die(const char *why) {
    fprintf(stderr, "paraph: cannot go on: %s\n", why);
    abort();
}

/* What is asked for here fails only without memory or entropy. */
static void require(bool ok, const char *what) {
    char why[64];

    if (ok)
        return;
    snprintf(why, sizeof(why), "%s failed", what);
    die(why);
}

/* The kernel's: a generator of our own would be one more to seed, and to part from at a fork. */
void crypto_random(void *out, size_t n) {
    unsigned char *to = out;
    ssize_t got;

    for (; n > 0; to += got, n -= (size_t)got)
        while ((got = getrandom(to, n, 0)) < 0)
            require(errno == EINTR, "getrandom");
}

/* Random bytes for the ids of this thread: a call takes longer than its bytes. */
static _Thread_local struct {
    unsigned char bytes[64 * UUID_LEN];
    size_t left;
} pool;

/* The child of a fork must not give out what its parent does. */
static void empty_pool(void) {
    pool.left = 0;
}

static void watch_forks(void) {
    require(pthread_atfork(NULL, NULL, empty_pool) == 0, "pthread_atfork");
}

static void take_random(unsigned char u[UUID_LEN]) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (pool.left == 0) {
        require(pthread_once(&once, watch_forks) == 0, "pthread_once");
        crypto_random(pool.bytes, sizeof(pool.bytes));
        pool.left = sizeof(pool.bytes);
    }
    pool.left -= UUID_LEN;
    memcpy(u, pool.bytes + pool.left, UUID_LEN);
    explicit_bzero(pool.bytes + pool.left, UUID_LEN);
}

/* --- OpenSSL --------------------------------------------------------------------------------- */

#define LIBRARY "libcrypto.so.3"

#define FUNCTIONS(X)                                                                               \
    X(BN_bin2bn)                                                                                   \
    X(BN_free)                                                                                     \
    X(BN_is_odd)                                                                                   \
    X(BN_is_one)                                                                                   \
    X(BN_num_bits)                                                                                 \
    X(ECDSA_SIG_free)                                                                              \
    X(ECDSA_SIG_new)                                                                               \
    X(ECDSA_SIG_set0)                                                                              \
    X(ERR_clear_error)                                                                             \
    X(EVP_DigestFinal_ex)                                                                          \
    X(EVP_DigestInit_ex2)                                                                          \
    X(EVP_DigestUpdate)                                                                            \
    X(EVP_DigestVerify)                                                                            \
    X(EVP_DigestVerifyInit)                                                                        \
    X(EVP_MD_CTX_free)                                                                             \
    X(EVP_MD_CTX_new)                                                                              \
    X(EVP_MD_fetch)                                                                                \
    X(EVP_PKEY_CTX_free)                                                                           \
    X(EVP_PKEY_CTX_new_from_name)                                                                  \
    X(EVP_PKEY_free)                                                                               \
    X(EVP_PKEY_fromdata)                                                                           \
    X(EVP_PKEY_fromdata_init)                                                                      \
    X(EVP_Q_mac)                                                                                   \
    X(OSSL_PARAM_BLD_free)                                                                         \
    X(OSSL_PARAM_BLD_new)                                                                          \
    X(OSSL_PARAM_BLD_push_BN)                                                                      \
    X(OSSL_PARAM_BLD_push_octet_string)                                                            \
    X(OSSL_PARAM_BLD_push_utf8_string)                                                             \
    X(OSSL_PARAM_BLD_to_param)                                                                     \
    X(OSSL_PARAM_free)                                                                             \
    X(i2d_ECDSA_SIG)

static struct { FUNCTIONS(LATE_MEMBER) } ssl LATE_TABLE;
static const char *const names[] = {FUNCTIONS(LATE_NAME)};

/* Looked up once: by its name OpenSSL searches its providers each time. */
static EVP_MD *sha1, *sha256;

static void open_ssl(void) {
    struct err e = {0};

    if (late_open(LIBRARY, names, COUNT_OF(names), &ssl, &e) != 0)
        die(e.message);
    sha1 = ssl.EVP_MD_fetch(NULL, "SHA1", NULL);
    sha256 = ssl.EVP_MD_fetch(NULL, "SHA256", NULL);
    require(sha1 != NULL && sha256 != NULL, "EVP_MD_fetch");
}

static void need_ssl(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    require(pthread_once(&once, open_ssl) == 0, "pthread_once");
}

/* The digest of two pieces, one after the other. */
static void digest(const EVP_MD *md, unsigned char *out, const void *a, size_t na, const void *b,
                   size_t nb) {
    EVP_MD_CTX *ctx = ssl.EVP_MD_CTX_new();

    require(ctx != NULL && ssl.EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
                ssl.EVP_DigestUpdate(ctx, a, na) == 1 && ssl.EVP_DigestUpdate(ctx, b, nb) == 1 &&
                ssl.EVP_DigestFinal_ex(ctx, out, NULL) == 1,
            "EVP_Digest");
    ssl.EVP_MD_CTX_free(ctx);
}

void crypto_sha256(unsigned char out[CRYPTO_SHA256_LEN], const void *p, size_t n) {
    need_ssl();
    digest(sha256, out, p, n, NULL, 0);
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

void crypto_hmac_sha256(unsigned char out[CRYPTO_SHA256_LEN], const void *key, size_t nkey,
                        const void *p, size_t n) {
    need_ssl();
    require(ssl.EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, nkey, p, n, out,
                          CRYPTO_SHA256_LEN, NULL) != NULL,
            "EVP_Q_mac");
}

void crypto_hmac_sha256_hex(char out[CRYPTO_SHA256_HEX], const void *key, size_t nkey,
                            const void *p, size_t n) {
    unsigned char mac[CRYPTO_SHA256_LEN];

    crypto_hmac_sha256(mac, key, nkey, p, n);
    *put_hex(out, mac, sizeof(mac)) = '\0';
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

    take_random(u);
    format_uuid(out, u, 4);
}

int crypto_uuid5(char out[CRYPTO_UUID_SIZE], const char *ns, const char *name, size_t n) {
    unsigned char space[UUID_LEN], hash[SHA1_LEN];

    if (!parse_uuid(space, ns, strlen(ns)))
        return -1;
    need_ssl();
    digest(sha1, hash, space, sizeof(space), name, n);
    format_uuid(out, hash, 5);
    return 0;
}

bool crypto_is_uuid(const char *s, size_t n) {
    unsigned char u[UUID_LEN];

    return parse_uuid(u, s, n);
}

/* --- public keys ----------------------------------------------------------------------------- */

#define P256_LEN      32
#define RSA_BITS_MIN  2048
#define RSA_BITS_MAX  8192
#define RSA_E_LEN_MAX 8
#define DER_MAX       80 /* of an ES256 signature: two numbers of 33 bytes, and their heads */

struct crypto_key {
    EVP_PKEY *pkey;
    enum crypto_key_kind kind;
};

/* The key that the parameters describe; OpenSSL checks that a point is on its curve. */
static struct crypto_key *make_key(enum crypto_key_kind kind, OSSL_PARAM_BLD *parameters) {
    static const char *const kinds[] = {[CRYPTO_KEY_RSA] = "RSA", [CRYPTO_KEY_P256] = "EC"};
    EVP_PKEY_CTX *ctx = ssl.EVP_PKEY_CTX_new_from_name(NULL, kinds[kind], NULL);
    OSSL_PARAM *list = ssl.OSSL_PARAM_BLD_to_param(parameters);
    struct crypto_key *key = calloc(1, sizeof(*key));

    if (key != NULL && ctx != NULL && list != NULL && ssl.EVP_PKEY_fromdata_init(ctx) == 1)
        ssl.EVP_PKEY_fromdata(ctx, &key->pkey, EVP_PKEY_PUBLIC_KEY, list);
    ssl.ERR_clear_error();
    ssl.OSSL_PARAM_free(list);
    ssl.EVP_PKEY_CTX_free(ctx);
    if (key != NULL && key->pkey == NULL) {
        free(key);
        key = NULL;
    }
    if (key != NULL)
        key->kind = kind;
    return key;
}

struct crypto_key *crypto_key_rsa(const void *n, size_t nlen, const void *e, size_t elen) {
    OSSL_PARAM_BLD *parameters;
    BIGNUM *modulus = NULL, *exponent = NULL;
    struct crypto_key *key = NULL;

    need_ssl();
    parameters = ssl.OSSL_PARAM_BLD_new();
    if (nlen <= RSA_BITS_MAX / 8 && elen <= RSA_E_LEN_MAX) {
        modulus = ssl.BN_bin2bn(n, (int)nlen, NULL);
        exponent = ssl.BN_bin2bn(e, (int)elen, NULL);
    }
    if (parameters != NULL && modulus != NULL && exponent != NULL &&
        ssl.BN_num_bits(modulus) >= RSA_BITS_MIN && ssl.BN_is_odd(modulus) &&
        ssl.BN_is_odd(exponent) && !ssl.BN_is_one(exponent) &&
        ssl.OSSL_PARAM_BLD_push_BN(parameters, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        ssl.OSSL_PARAM_BLD_push_BN(parameters, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = make_key(CRYPTO_KEY_RSA, parameters);
    ssl.OSSL_PARAM_BLD_free(parameters);
    ssl.BN_free(modulus);
    ssl.BN_free(exponent);
    return key;
}

struct crypto_key *crypto_key_p256(const void *x, size_t xlen, const void *y, size_t ylen) {
    unsigned char point[1 + 2 * P256_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM_BLD *parameters;
    struct crypto_key *key = NULL;

    need_ssl();
    if (xlen != P256_LEN || ylen != P256_LEN || (parameters = ssl.OSSL_PARAM_BLD_new()) == NULL)
        return NULL;
    memcpy(point + 1, x, P256_LEN);
    memcpy(point + 1 + P256_LEN, y, P256_LEN);
    if (ssl.OSSL_PARAM_BLD_push_utf8_string(parameters, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ==
            1 &&
        ssl.OSSL_PARAM_BLD_push_octet_string(parameters, OSSL_PKEY_PARAM_PUB_KEY, point,
                                             sizeof(point)) == 1)
        key = make_key(CRYPTO_KEY_P256, parameters);
    ssl.OSSL_PARAM_BLD_free(parameters);
    return key;
}

void crypto_key_free(struct crypto_key *key) {
    if (key != NULL)
        ssl.EVP_PKEY_free(key->pkey);
    free(key);
}

enum crypto_key_kind crypto_key_kind(const struct crypto_key *key) {
    return key->kind;
}

/* r and s as ASN.1 has them; 0: out of memory. */
static size_t to_der(unsigned char out[DER_MAX], const unsigned char *rs) {
    ECDSA_SIG *sig = ssl.ECDSA_SIG_new();
    BIGNUM *r = ssl.BN_bin2bn(rs, P256_LEN, NULL),
           *s = ssl.BN_bin2bn(rs + P256_LEN, P256_LEN, NULL);
    int n = 0;

    if (sig != NULL && r != NULL && s != NULL && ssl.ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* the signature's */
        if (ssl.i2d_ECDSA_SIG(sig, NULL) <= DER_MAX)
            n = ssl.i2d_ECDSA_SIG(sig, &out);
    }
    ssl.BN_free(r);
    ssl.BN_free(s);
    ssl.ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

bool crypto_verify(const struct crypto_key *key, const void *p, size_t len, const void *signature,
                   size_t nsignature) {
    unsigned char der[DER_MAX];
    EVP_MD_CTX *ctx;
    bool is;

    if (key->kind == CRYPTO_KEY_P256) {
        if (nsignature != 2 * P256_LEN || (nsignature = to_der(der, signature)) == 0)
            return false;
        signature = der;
    }
    /* PKCS #1 v1.5 is what RSA does when nothing else is said. */
    ctx = ssl.EVP_MD_CTX_new();
    is = ctx != NULL && ssl.EVP_DigestVerifyInit(ctx, NULL, sha256, NULL, key->pkey) == 1 &&
         ssl.EVP_DigestVerify(ctx, signature, nsignature, p, len) == 1;
    ssl.EVP_MD_CTX_free(ctx);
    ssl.ERR_clear_error();
    return is;
}

/* --- secrets --------------------------------------------------------------------------------- */

bool crypto_equal(const void *a, const void *b, size_t n) {
    const volatile unsigned char *x = a, *y = b; /* each byte is looked at, whatever was found */
    unsigned char difference = 0;

    for (size_t i = 0; i < n; i++)
        difference |= x[i] ^ y[i];
    return difference == 0;
}

void crypto_wipe(char *secret) {
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}
