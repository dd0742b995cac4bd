#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "encode.h"
#include "json_text.h"
#include "jwt.h"
#include "jwt_vectors.h"

static struct jwt_keys *read_keys(const char *text, enum crypto_key_kind kind) {
    json_t *set = json_text_parse(text, strlen(text), 8, NULL);
    struct jwt_keys *keys = jwt_keys_read(set, kind, NULL);

    json_decref(set);
    return keys;
}

static void signatures_of_others_are_right(void **state) {
    struct jwt_keys *rsa = read_keys(set_text, CRYPTO_KEY_RSA);
    struct jwt_keys *ec = read_keys(set_text, CRYPTO_KEY_P256);
    struct jwt t;

    (void)state;
    assert_int_equal(jwt_parse(&t, rs256, strlen(rs256), NULL), 0);
    assert_string_equal(t.alg, "RS256");
    assert_string_equal(t.kid, "r1");
    assert_string_equal(json_string_value(json_object_get(t.claims, "email")), "ann@example.com");
    assert_true(jwt_is_signed(&t, jwt_keys_find(rsa, t.kid)));
    assert_false(jwt_is_signed(&t, jwt_keys_find(ec, "e1")));
    assert_null(jwt_keys_find(ec, "r1")); /* a set holds one kind of key */
    jwt_free(&t);
    assert_int_equal(jwt_parse(&t, es256, strlen(es256), NULL), 0);
    assert_true(jwt_is_signed(&t, jwt_keys_find(ec, t.kid)));
    assert_false(jwt_is_signed(&t, jwt_keys_find(rsa, "r1")));
    jwt_free(&t);
    jwt_keys_free(rsa);
    jwt_keys_free(ec);
}

/* Any character but the last of a part, whose low bits may mean nothing. */
static void a_changed_token_is_not_signed(void **state) {
    struct jwt_keys *rsa = read_keys(set_text, CRYPTO_KEY_RSA);
    struct jwt_keys *ec = read_keys(set_text, CRYPTO_KEY_P256);
    const struct {
        const char *text;
        const struct crypto_key *key;
    } cases[] = {{rs256, jwt_keys_find(rsa, "r1")}, {es256, jwt_keys_find(ec, "e1")}};
    struct jwt t;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t at = 0; cases[i].text[at] != '\0'; at++) {
            char *copy = strdup(cases[i].text);

            if (copy[at] != '.') {
                copy[at] = copy[at] == 'A' ? 'B' : 'A';
                if (jwt_parse(&t, copy, strlen(copy), NULL) == 0 && jwt_is_signed(&t, cases[i].key))
                    fail_msg("case %zu, changed at %zu", i, at);
                jwt_free(&t);
            }
            free(copy);
        }
    jwt_keys_free(rsa);
    jwt_keys_free(ec);
}

/* A token of a header and claims, signed by nobody. */
static char *compose(const char *header, const char *claims, const char *signature) {
    struct buf b;

    buf_init(&b, 64 * KIB);
    encode_base64url(&b, header, strlen(header));
    buf_addc(&b, '.');
    encode_base64url(&b, claims, strlen(claims));
    buf_addf(&b, ".%s", signature);
    return buf_take(&b, NULL);
}

static void what_is_no_token_is_refused_with_a_reason(void **state) {
    static const struct {
        const char *header, *claims, *signature, *why;
    } cases[] = {
        {"", "{}", "", "header"},
        {"[]", "{}", "", "header"},
        {"{\"alg\":\"RS256\"", "{}", "", "header"},
        {"{\"alg\":\"RS256\",\"alg\":\"none\"}", "{}", "", "header"},
        {"{}", "{}", "", "algorithm"},
        {"{\"alg\":5}", "{}", "", "algorithm"},
        {"{\"alg\":\"RS256\\u0000\"}", "{}", "", "algorithm"},
        {"{\"alg\":\"RS256\",\"crit\":[\"b64\"]}", "{}", "", "extensions"},
        {"{\"alg\":\"RS256\"}", "5", "", "claims"},
        {"{\"alg\":\"RS256\"}", "", "", "claims"},
        {"{\"alg\":\"RS256\"}", "{\"a\":[[[[[[[[[]]]]]]]]]}", "", "claims"},
        {"{\"alg\":\"RS256\"}", "{}", "AAA=", "signature"},
        {"{\"alg\":\"RS256\"}", "{}", "A A", "signature"},
        {"{\"alg\":\"RS256\"}", "{}", "AA+/", "signature"},
        {"{\"alg\":\"RS256\"}", "{}", "AA.AA", "signature"},
    };
    static const char *const texts[] = {"", ".", "e30.e30"};
    struct jwt t;
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = compose(cases[i].header, cases[i].claims, cases[i].signature);

        if (jwt_parse(&t, text, strlen(text), &e) == 0 || strstr(e.message, cases[i].why) == NULL)
            fail_msg("case %zu", i);
        assert_int_equal(e.code, ERR_UNAUTHENTICATED);
        jwt_free(&t);
        free(text);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(jwt_parse(&t, texts[i], strlen(texts[i]), &e), -1);
        jwt_free(&t);
    }
}

static void a_stripped_token_can_be_read_and_is_known(void **state) {
    char *text = compose("{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{\"email\":\"a@b.example\"}",
                         "SIGNATURE_REMOVED_BY_GOOGLE");
    struct jwt_keys *keys = read_keys(set_text, CRYPTO_KEY_RSA);
    struct jwt t;

    (void)state;
    assert_int_equal(jwt_parse(&t, text, strlen(text), NULL), 0);
    assert_true(t.stripped);
    assert_false(jwt_is_signed(&t, jwt_keys_find(keys, "r1")));
    jwt_free(&t);
    jwt_keys_free(keys);
    free(text);
}

static void the_token_does_not_choose_its_algorithm(void **state) {
    static const char *const algorithms[] = {"none",  "HS256", "ES256", "RS512",
                                             "PS256", "rs256", ""};
    struct jwt_keys *keys = read_keys(set_text, CRYPTO_KEY_RSA);
    struct jwt t;

    (void)state;
    assert_int_equal(jwt_parse(&t, rs256, strlen(rs256), NULL), 0);
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        free(t.alg);
        t.alg = strdup(algorithms[i]);
        assert_false(jwt_is_signed(&t, jwt_keys_find(keys, "r1")));
    }
    jwt_free(&t);
    jwt_keys_free(keys);
}

static void sets_without_a_fit_key_are_refused(void **state) {
    static const char *const sets[] = {
        "{}",
        "[]",
        "null",
        "{\"keys\":5}",
        "{\"keys\":[]}",
        "{\"keys\":[null,1,\"x\",[],{}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}"};
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        json_t *set = json_loads(sets[i], JSON_DECODE_ANY, NULL);

        assert_null(jwt_keys_read(set, CRYPTO_KEY_RSA, &e));
        assert_int_equal(e.code, ERR_AUTH_ERROR);
        assert_null(jwt_keys_read(set, CRYPTO_KEY_P256, &e));
        json_decref(set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_others_are_right),
        cmocka_unit_test(a_changed_token_is_not_signed),
        cmocka_unit_test(what_is_no_token_is_refused_with_a_reason),
        cmocka_unit_test(a_stripped_token_can_be_read_and_is_known),
        cmocka_unit_test(the_token_does_not_choose_its_algorithm),
        cmocka_unit_test(sets_without_a_fit_key_are_refused),
    };

    return cmocka_run_group_tests_name("jwt", tests, NULL, NULL);
}
