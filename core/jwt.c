#include "jwt.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define DEPTH    8
#define STRIPPED "SIGNATURE_REMOVED_BY_GOOGLE"

static const char *const algorithms[] = {[CRYPTO_KEY_RSA] = "RS256", [CRYPTO_KEY_P256] = "ES256"};

/* Without padding and white space (RFC 7515 §2). */
static int decode(struct buf *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') ||
              (s[i] >= '0' && s[i] <= '9') || s[i] == '-' || s[i] == '_'))
            return -1;
    return encode_base64_decode(out, s, n, NULL);
}

/* --- a token --------------------------------------------------------------------------------- */

/* A part of the token: an object; NULL if it is none. */
static json_t *read_object(const char *s, size_t n) {
    struct buf text;
    json_t *tree = NULL;

    buf_init(&text, JWT_MAX);
    if (decode(&text, s, n) == 0 && text.len > 0)
        tree = json_text_parse(text.data, text.len, DEPTH, NULL);
    buf_free(&text);
    if (json_is_object(tree))
        return tree;
    json_decref(tree);
    return NULL;
}

/* A copy of a text without a NUL; NULL if the member is none, or too long. */
static char *copy_text(const json_t *object, const char *name, size_t max) {
    const json_t *value = json_object_get(object, name);
    const char *s = json_string_value(value);

    if (s == NULL || strlen(s) != json_string_length(value) || strlen(s) > max)
        return NULL;
    return strdup(s);
}

static int read_header(struct jwt *t, const char *s, size_t n, struct err *e) {
    json_t *header = read_object(s, n);

    if (header == NULL)
        return err_set(e, ERR_UNAUTHENTICATED, "its header cannot be read");
    t->alg = copy_text(header, "alg", 16);
    t->kid = copy_text(header, "kid", JWT_KID_MAX);
    if (json_object_get(header, "crit") != NULL)
        err_set(e, ERR_UNAUTHENTICATED, "it demands extensions, and none is known here");
    else if (t->alg == NULL)
        err_set(e, ERR_UNAUTHENTICATED, "it names no algorithm");
    else
        e->code = ERR_NONE;
    json_decref(header);
    return e->code == ERR_NONE ? 0 : -1;
}

int jwt_parse(struct jwt *t, const char *text, size_t n, struct err *e) {
    const char *claims, *signature;
    struct err unread;

    *t = (struct jwt){.text = text};
    buf_init(&t->signature, JWT_MAX);
    if (e == NULL)
        e = &unread;
    if (n > JWT_MAX)
        return err_set(e, ERR_UNAUTHENTICATED, "it is longer than any token");
    if ((claims = memchr(text, '.', n)) == NULL ||
        (signature = memchr(claims + 1, '.', n - (size_t)(claims + 1 - text))) == NULL)
        return err_set(e, ERR_UNAUTHENTICATED, "it is no token of three parts");
    t->signed_len = (size_t)(signature - text);
    if (read_header(t, text, (size_t)(claims - text), e) != 0)
        return -1;
    if ((t->claims = read_object(claims + 1, (size_t)(signature - claims - 1))) == NULL)
        return err_set(e, ERR_UNAUTHENTICATED, "its claims cannot be read");
    n -= t->signed_len + 1;
    t->stripped = n == strlen(STRIPPED) && memcmp(signature + 1, STRIPPED, n) == 0;
    if (decode(&t->signature, signature + 1, n) != 0)
        return err_set(e, ERR_UNAUTHENTICATED, "its signature cannot be read");
    return 0;
}

void jwt_free(struct jwt *t) {
    free(t->alg);
    free(t->kid);
    json_decref(t->claims);
    buf_free(&t->signature);
    *t = (struct jwt){0};
}

bool jwt_is_signed(const struct jwt *t, const struct crypto_key *key) {
    return strcmp(t->alg, algorithms[crypto_key_kind(key)]) == 0 &&
           crypto_verify(key, t->text, t->signed_len, t->signature.data, t->signature.len);
}

/* --- keys ------------------------------------------------------------------------------------ */

struct jwt_keys {
    size_t n;
    struct {
        char *kid;
        struct crypto_key *key;
    } keys[JWT_KEYS_MAX];
};

/* A member in base64url: a number, its most significant byte first. */
static int read_number(struct buf *out, const json_t *jwk, const char *name) {
    const json_t *value = json_object_get(jwk, name);
    const char *s = json_string_value(value);

    buf_init(out, 2 * KIB);
    return s != NULL && decode(out, s, json_string_length(value)) == 0 ? 0 : -1;
}

static bool says(const json_t *jwk, const char *name, const char *wanted, bool if_at_all) {
    const json_t *value = json_object_get(jwk, name);

    if (value == NULL)
        return if_at_all;
    return json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

/* NULL: another kind of key, or not a sound one. */
static struct crypto_key *read_key(const json_t *jwk, enum crypto_key_kind kind) {
    bool rsa = kind == CRYPTO_KEY_RSA;
    struct crypto_key *key = NULL;
    struct buf a, b;

    if (!says(jwk, "kty", rsa ? "RSA" : "EC", false) || !says(jwk, "use", "sig", true) ||
        !says(jwk, "alg", algorithms[kind], true) || (!rsa && !says(jwk, "crv", "P-256", false)))
        return NULL;
    if (read_number(&a, jwk, rsa ? "n" : "x") + read_number(&b, jwk, rsa ? "e" : "y") == 0)
        key = rsa ? crypto_key_rsa(a.data, a.len, b.data, b.len)
                  : crypto_key_p256(a.data, a.len, b.data, b.len);
    buf_free(&a);
    buf_free(&b);
    return key;
}

struct jwt_keys *jwt_keys_read(const json_t *set, enum crypto_key_kind kind, struct err *e) {
    const json_t *list = json_object_get(set, "keys"), *jwk;
    struct jwt_keys *keys = calloc(1, sizeof(*keys));
    struct crypto_key *key;
    size_t i;
    char *kid;

    if (keys == NULL) {
        err_set(e, ERR_AUTH_ERROR, "out of memory");
        return NULL;
    }
    json_array_foreach(list, i, jwk) {
        if (keys->n == JWT_KEYS_MAX || (key = read_key(jwk, kind)) == NULL)
            continue;
        if ((kid = copy_text(jwk, "kid", JWT_KID_MAX)) == NULL || jwt_keys_find(keys, kid)) {
            free(kid);
            crypto_key_free(key);
            continue;
        }
        keys->keys[keys->n].kid = kid;
        keys->keys[keys->n++].key = key;
    }
    if (keys->n > 0)
        return keys;
    jwt_keys_free(keys);
    err_set(e, ERR_AUTH_ERROR, "the answer holds no key for %s", algorithms[kind]);
    return NULL;
}

void jwt_keys_free(struct jwt_keys *keys) {
    for (size_t i = 0; keys != NULL && i < keys->n; i++) {
        free(keys->keys[i].kid);
        crypto_key_free(keys->keys[i].key);
    }
    free(keys);
}

const struct crypto_key *jwt_keys_find(const struct jwt_keys *keys, const char *kid) {
    for (size_t i = 0; i < keys->n; i++)
        if (strcmp(keys->keys[i].kid, kid) == 0)
            return keys->keys[i].key;
    return NULL;
}
