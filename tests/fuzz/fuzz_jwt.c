/*
 * fuzz_jwt.c - tokens that anybody may send: what is read of one holds together, is the same when
 * it is read again, and is signed only if it is the very token that was.
 *
 * The first byte of an input chooses: a token, or a set of keys.
 */
#include <stdlib.h>
#include <string.h>

#include "auth_token.h"
#include "encode.h"
#include "env.h"
#include "json_text.h"
#include "jwt.h"

#define NOW_S 1772000100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made and signed by node:crypto. */
static const char set_text[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"qpqhYIFyCYw7CRznVTcOLXmNyK6QdACiEjEWgxs793Jh9AIjBCT4puERJ"
    "_qZP20ldPiPfwAYM-sK2t_Ivml_O3Y3y8T-hU8SfY47UAJXcJR5hKSFMzFbqdQJnP13iORBZZbTBEpTqhkTg"
    "HdGFlNWWi3SG_B139p9Z07Y3PPf22kXsVRHsENf8zZ84TUI2UXR1krbcytpslsF7uqxecrrryelXuFSVv7Od"
    "-vDJ4dq_nQusBX11CqRX08oxk_JOtQVmMpIsA_pE0auIVt98ua3MYMVl2HFyp6SAw8WPWhOtzO-BOf4GAIIm"
    "4eL4s22Bc7Fjis1dX-Q-VSgrEzTVLQgNQ\",\"e\":\"AQAB\",\"kid\":\"r1\",\"use\":\"sig\",\"alg\":\"RS256\"},"
    "{\"kty\":\"EC\",\"x\":\"fe_lXKNFh2j_Uy4Jq5-HbrrAFxZtFVHIdTlHnBIIJCQ\",\"y\":\"t3Z7XuMGcW1pFRq81"
    "JLrsWpMdcRYUSRRMFw-O1MgqTU\",\"crv\":\"P-256\",\"kid\":\"e1\",\"use\":\"sig\",\"alg\":\"ES256\"}]}";
static const char rs256[] =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2FjY291bnRz"
    "Lmdvb2dsZS5jb20iLCJhdWQiOiJodHRwczovL3BhcmFwaC5leGFtcGxlLm9yZyIsImVtYWlsIjoiYW5uQGV4"
    "YW1wbGUuY29tIiwiZW1haWxfdmVyaWZpZWQiOnRydWUsImlhdCI6MTc3MjAwMDAwMCwiZXhwIjoxNzcyMDAz"
    "NjAwfQ.cb_PA7JF4frr91H7-1W4-FyQfmPc0NPGDyVmnDd7rbDBdDu4Qo13M27DXY-v7w-6_15gcQrc1ynCj"
    "orJXSfRGwSfDr-Z_dCDp-vbex5CD0BJhMwvcDsET7Ew9MFyqe6JXKe1tijP1oHxyYljaV9RjqqRYuOHufEaQ"
    "qG2xC6xotT4Vv_IovuUcPti7M7j9AYCH_ehr-ZyInsd_wym1KfEktyOLRCifL-oz8LrtjLPpST5CpXgWw8rM"
    "tjESY3BQ9j63IDqZSNuHdGrYDpQXOUxdrJI9qMiG6XgYH4nMWEqjhtKx97N-MY69TtdKXaJE37Q9CNId4-x_"
    "N5H9mA_zdPYBA";
static const char es256[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2Nsb3VkLmdv"
    "b2dsZS5jb20vaWFwIiwiYXVkIjoiL3Byb2plY3RzLzEiLCJlbWFpbCI6ImFubkBleGFtcGxlLmNvbSIsImVt"
    "YWlsX3ZlcmlmaWVkIjp0cnVlLCJpYXQiOjE3NzIwMDAwMDAsImV4cCI6MTc3MjAwMzYwMH0.L8wBdbIEdc9W"
    "Ux7-13A0_C_jFmGP-_i_n-7LLaj9hNe40yHBXtpbEiDwOHce4T-V_1vU9KVq6Xujy0W9LvGXGw";

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
