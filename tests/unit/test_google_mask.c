#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "google_mask.h"
#include "json_text.h"

#define JSON "application/json; charset=UTF-8"
#define FORM "application/x-www-form-urlencoded"

static void assert_told(const char *body, const char *type, const char *told) {
    struct blob *blob = blob_copy(body, strlen(body));
    struct buf out;
    json_t *tree;

    buf_init(&out, 64 * KIB);
    google_mask_add_body(&out, blob, type);
    assert_false(buf_failed(&out));
    assert_string_equal(out.data, told);
    buf_reset(&out);
    buf_addf(&out, "[%s]", told);
    tree = json_text_parse(out.data, out.len, 64, NULL);
    assert_non_null(tree); /* what is told is JSON */
    json_decref(tree);
    buf_free(&out);
    blob_unref(blob);
}

static void test_json(void **state) {
    static const struct {
        const char *body, *told;
    } cases[] = {
        /* tokens */
        {"{\"access_token\":\"abcd\",\"expires_in\":3599,\"token_type\":\"Bearer\"}",
         "{\"access_token\":\"(masked, 4 bytes)\",\"expires_in\":3599,\"token_type\":\"Bearer\"}"},
        {"{\"keyId\":\"k\",\"signedJwt\":\"a.b.c\"}",
         "{\"keyId\":\"k\",\"signedJwt\":\"(masked, 5 bytes)\"}"},
        {"{\"payload\":\"{\\\"iss\\\":\\\"a@b\\\",\\\"iat\\\":5,\\\"jti\\\":\\\"no\\\"}\"}",
         "{\"payload\":{\"iss\":\"a@b\",\"iat\":5,\"jti\":\"(masked, 2 bytes)\"}}"},
        {"{\"payload\":\"no JSON\"}", "{\"payload\":\"(masked, 7 bytes)\"}"},
        {"{\"payload\":\"[\\\"no claims\\\"]\"}", "{\"payload\":\"(masked, 13 bytes)\"}"},
        /* Gmail */
        {"{\"message\":{\"raw\":\"RnJvbTog\",\"threadId\":\"t\"}}",
         "{\"message\":{\"raw\":\"(masked, 8 bytes)\",\"threadId\":\"t\"}}"},
        {"{\"id\":\"m\",\"labelIds\":[\"SENT\"],\"snippet\":\"Hi Ann\"}",
         "{\"id\":\"m\",\"labelIds\":[\"SENT\"],\"snippet\":\"(masked, 6 bytes)\"}"},
        {"{\"payload\":{\"headers\":[{\"name\":\"Message-ID\",\"value\":\"<a@b>\"}],"
         "\"body\":{\"data\":\"SGk\"},\"parts\":[]}}",
         "{\"payload\":{\"headers\":[{\"name\":\"Message-ID\",\"value\":\"<a@b>\"}],"
         "\"body\":\"(masked, 14 bytes)\",\"parts\":[]}}"},
        {"{\"structuredAggregationQuery\":{\"aggregations\":[{\"alias\":\"found\",\"count\":"
         "{\"upTo\":\"9\"}}],\"structuredQuery\":{\"limit\":1}}}",
         "{\"structuredAggregationQuery\":{\"aggregations\":[{\"alias\":\"found\",\"count\":"
         "{\"upTo\":\"9\"}}],\"structuredQuery\":{\"limit\":1}}}"},
        {"[{\"result\":{\"aggregateFields\":{\"found\":{\"integerValue\":\"3\"}}}}]",
         "[{\"result\":{\"aggregateFields\":{\"found\":{\"integerValue\":\"3\"}}}}]"},
        {"{\"updateTransforms\":[{\"fieldPath\":\"opens\",\"appendMissingElements\":{\"values\":"
         "[{\"stringValue\":\"Hi\"}]}}]}",
         "{\"updateTransforms\":[{\"fieldPath\":\"opens\",\"appendMissingElements\":"
         "\"(masked, 33 bytes)\"}]}"},
        /* Firestore: what people wrote is masked, at whatever depth and under whatever name */
        {"{\"fields\":{\"status\":{\"stringValue\":\"pending\"},\"body\":{\"stringValue\":\"Hi\"},"
         "\"vars\":{\"mapValue\":{\"fields\":{\"status\":{\"stringValue\":\"x\"}}}}}}",
         "{\"fields\":{\"status\":{\"stringValue\":\"pending\"},\"body\":\"(masked, 20 bytes)\","
         "\"vars\":\"(masked, 54 bytes)\"}}"},
        {"{\"fields\":{\"open_count\":{\"integerValue\":\"3\"},\"parts\":{\"bytesValue\":\"QUJD\"}}}",
         "{\"fields\":{\"open_count\":{\"integerValue\":\"3\"},"
         "\"parts\":{\"bytesValue\":\"(masked, 4 bytes)\"}}}"},
        {"{\"where\":{\"fieldFilter\":{\"op\":\"EQUAL\",\"value\":{\"stringValue\":\"sent\"}}}}",
         "{\"where\":{\"fieldFilter\":{\"op\":\"EQUAL\",\"value\":{\"stringValue\":\"sent\"}}}}"},
        {"[{\"found\":{\"name\":\"p/d\"}},{\"missing\":\"q\"}]",
         "[{\"found\":{\"name\":\"p/d\"}},{\"missing\":\"q\"}]"},
        /* errors */
        {"{\"error\":{\"code\":403,\"message\":\"no\",\"status\":\"X\",\"details\":[{\"reason\":"
         "\"R\",\"metadata\":{\"a\":\"b\"}}]}}",
         "{\"error\":{\"code\":403,\"message\":\"no\",\"status\":\"X\",\"details\":[{\"reason\":"
         "\"R\",\"metadata\":\"(masked, 9 bytes)\"}]}}"},
        {"{\"error\":\"invalid_grant\",\"error_description\":\"Bad\\nya29.abc Request\"}",
         "{\"error\":\"invalid_grant\",\"error_description\":\"Bad (masked) Request\"}"},
        /* no object, and nobody's */
        {"\"secret\"", "\"(masked, 6 bytes)\""},
        {"[\"secret\",1,true,null]",
         "[\"(masked, 6 bytes)\",\"(masked, 1 bytes)\",\"(masked, 4 bytes)\",\"(masked, 4 bytes)\"]"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"{\"q\\\"\":{}}", "{\"q\\\"\":\"(masked, 2 bytes)\"}"},
        {"{\"id\":1.5,\"code\":-7,\"done\":true,\"value\":null}",
         "{\"id\":1.5,\"code\":-7,\"done\":true,\"value\":null}"},
        {"{broken", "\"(masked, 7 bytes)\""},
        {"", "\"(masked, 0 bytes)\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_told(cases[i].body, JSON, cases[i].told);
}

static void test_form(void **state) {
    static const struct {
        const char *body, *told;
    } cases[] = {
        {"grant_type=urn%3Aietf%3Ajwt&assertion=a.b.c",
         "{\"grant_type\":\"urn:ietf:jwt\",\"assertion\":\"(masked, 5 bytes)\"}"},
        {"grant_type=refresh_token&client_id=i&client_secret=s&refresh_token=1%2F%2Fr",
         "{\"grant_type\":\"refresh_token\",\"client_id\":\"(masked, 1 bytes)\",\"client_secret\":"
         "\"(masked, 1 bytes)\",\"refresh_token\":\"(masked, 8 bytes)\"}"},
        {"scope=a+b", "{\"scope\":\"a b\"}"},
        {"scope=%zz&sub", "{\"scope\":\"(masked, 3 bytes)\",\"sub\":\"\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_told(cases[i].body, FORM, cases[i].told);
}

static void test_other_types(void **state) {
    (void)state;
    assert_told("From: a", "message/rfc822", "\"(masked, 7 bytes)\"");
    assert_told("{\"id\":\"m\"}", "multipart/related; boundary=b", "\"(masked, 10 bytes)\"");
    assert_told("{\"id\":\"m\"}", NULL, "\"(masked, 10 bytes)\"");
}

/* A large message is not read. */
static void test_large(void **state) {
    size_t len = MIB;
    char *text = calloc(1, len + 1);
    struct blob *blob;
    struct buf out;

    (void)state;
    memset(text, ' ', len);
    memcpy(text, "{\"id\":\"m\"}", 10);
    blob = blob_own(text, len);
    buf_init(&out, KIB);
    google_mask_add_body(&out, blob, JSON);
    assert_string_equal(out.data, "\"(masked, 1048576 bytes)\"");
    buf_free(&out);
    blob_unref(blob);
}

/* What is too long to be told is known to be. */
static void test_ceiling(void **state) {
    json_t *tree = json_pack("{s:s}", "id", "0123456789012345678901234567890123456789");
    struct buf out;

    (void)state;
    buf_init(&out, 20);
    google_mask_add_tree(&out, tree);
    assert_true(buf_failed(&out));
    buf_free(&out);
    json_decref(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),        cmocka_unit_test(test_form),
        cmocka_unit_test(test_other_types), cmocka_unit_test(test_large),
        cmocka_unit_test(test_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
