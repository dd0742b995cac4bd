/*
 * fuzz_jwt.c - tokens that anybody may send: what is read of one holds together, is the same when
 * it is read again, and is signed only if it is the very token that was.
 *
 * The first byte of an input chooses: a token, or a set of keys.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/jwt_vectors.h"
#include "auth_token.h"
#include "encode.h"
#include "env.h"
#include "json_text.h"
#include "jwt.h"

#define NOW_S 1772000100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static struct jwt_keys *known_keys(enum crypto_key_kind kind) {
    static struct jwt_keys *keys[2];
    json_t *set;

    if (keys[kind] == NULL) {
        demand((set = json_text_parse(set_text, strlen(set_text), 8, NULL)) != NULL);
        demand((keys[kind] = jwt_keys_read(set, kind, NULL)) != NULL);
        json_decref(set);
    }
    return keys[kind];
}

static void check_claims(const struct jwt *t, enum auth_keys_source source) {
    char email[AUTH_TOKEN_EMAIL_MAX + 1];
    size_t n;
    struct err e = {.code = ERR_NONE};

    if (auth_token_check(t, source, NOW_S, email, &e) == 0) {
        n = strnlen(email, sizeof(email));
        demand(n > 2 && n < sizeof(email) && strchr(email, '@') != NULL);
        demand(encode_utf8_error(email, n) == n && encode_control_at(email, n) == n);
        for (size_t i = 0; i < n; i++)
            demand(email[i] < 'A' || email[i] > 'Z');
    } else {
        demand(e.code == ERR_UNAUTHENTICATED && e.message[0] != '\0');
    }
}

static void check_token(const char *text, size_t n) {
    struct jwt t, again;
    struct err e = {.code = ERR_NONE};

    if (jwt_parse(&t, text, n, &e) == 0) {
        demand(t.alg != NULL && json_is_object(t.claims) && t.signed_len < n);
        demand(jwt_parse(&again, text, n, NULL) == 0 && json_equal(t.claims, again.claims) == 1);
        jwt_free(&again);
        for (unsigned kind = CRYPTO_KEY_RSA; kind <= CRYPTO_KEY_P256; kind++) {
            bool rsa = kind == CRYPTO_KEY_RSA;
            const char *known = rsa ? rs256 : es256;

            if (jwt_is_signed(&t, jwt_keys_find(known_keys(kind), rsa ? "r1" : "e1")))
                demand(!t.stripped && t.signed_len == (size_t)(strrchr(known, '.') - known) &&
                       memcmp(text, known, t.signed_len) == 0);
        }
        check_claims(&t, AUTH_KEYS_GOOGLE);
        check_claims(&t, AUTH_KEYS_IAP);
    } else {
        demand(e.code == ERR_UNAUTHENTICATED && e.message[0] != '\0');
    }
    jwt_free(&t);
}

static void check_set(const char *text, size_t n) {
    json_t *set = json_text_parse(text, n, 32, NULL);

    for (unsigned kind = CRYPTO_KEY_RSA; kind <= CRYPTO_KEY_P256; kind++) {
        struct err e = {.code = ERR_NONE};
        struct jwt_keys *keys = jwt_keys_read(set, kind, &e);

        demand((keys == NULL) == (e.code == ERR_AUTH_ERROR));
        if (keys != NULL)
            demand(jwt_keys_find(keys, "no such key") == NULL);
        jwt_keys_free(keys);
    }
    json_decref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    env.auth_audience = "https://paraph.example.org";
    env.iap_audience = "/projects/1,/projects/2";
    if (size == 0)
        return 0;
    if (data[0] == 's')
        check_set((const char *)data + 1, size - 1);
    else
        check_token((const char *)data + 1, size - 1);
    return 0;
}
