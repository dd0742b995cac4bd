/* google.c over TLS and HTTP/2, as Google speaks it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "google.h"
#include "google_server.h"
#include "tls_server.h"

#define LARGE    (4 * MIB)
#define PARALLEL 20

static struct tls_server api; /* http2_server.mjs */

/* libcurl trusts the authorities of its system; here, the server's certificate instead. */
CURL *__real_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void);

CURL *__wrap_curl_easy_init(void) {
    CURL *easy = __real_curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_CAINFO, api.cert);
    return easy;
}

static int start_api(void **state) {
    char *const argv[] = {(char[]){"node"}, (char[]){TESTS_DIR "/unit/http2_server.mjs"}, api.key,
                          api.cert, NULL};

    (void)state;
    make_certificate(&api);
    start_tls(&api, argv, "PORT %u");
    return 0;
}

static int stop_api(void **state) {
    (void)state;
    stop_tls(&api);
    return 0;
}

/* --- calls ----------------------------------------------------------------------------------- */

struct outcome {
    unsigned calls;
    struct google_reply reply;
};

static void on_done(struct google_reply *reply, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->reply = *reply;
    reply->json = NULL; /* taken */
}

static void start(struct outcome *o, const char *path, struct blob *body, bool repeatable) {
    char url[80];
    const struct google_request rq = {.api = GOOGLE_GMAIL,
                                      .step = "Gmail messages.send",
                                      .mailbox = "ann@example.org",
                                      .method = "POST",
                                      .url = url,
                                      .body = body,
                                      .repeatable = repeatable};

    snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", api.port, path);
    *o = (struct outcome){0};
    google_start(&rq, on_done, o);
}

static void assert_spoken(struct outcome *o, const char *version, size_t bytes) {
    assert_int_equal(o->calls, 1);
    assert_string_equal(o->reply.err.message, "");
    assert_int_equal(o->reply.status, 200);
    assert_string_equal(json_string_value(json_object_get(o->reply.json, "version")), version);
    assert_int_equal(json_integer_value(json_object_get(o->reply.json, "bytes")), bytes);
    json_decref(o->reply.json);
}

static struct blob *zeros(size_t n) {
    return blob_own(calloc(1, n), n);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_http2_but_for_large_bodies(void **state) {
    static const struct {
        size_t size;
        const char *version;
    } cases[] = {{1, "2.0"}, {65535, "2.0"}, {65536, "1.1"}, {LARGE, "1.1"}, {1, "2.0"}};
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct blob *body = zeros(cases[i].size);

        start(&o, "/", body, false);
        blob_unref(body);
        loop_run();
        assert_spoken(&o, cases[i].version, cases[i].size);
    }
}

/* Of many at once, too: what the server said is known, and that nothing was done. */
static void test_early_refusal(void **state) {
    static const char *const paths[] = {"/early", "/early-reset"};
    static struct outcome o[PARALLEL];
    struct blob *body = zeros(LARGE);

    (void)state;
    for (size_t n = 0; n < COUNT_OF(paths); n++) {
        for (size_t i = 0; i < PARALLEL; i++)
            start(&o[i], paths[n], body, false);
        loop_run();
        for (size_t i = 0; i < PARALLEL; i++) {
            assert_int_equal(o[i].calls, 1);
            assert_int_equal(o[i].reply.status, 413);
            assert_false(o[i].reply.unknown);
            assert_contains(o[i].reply.err.message, "larger than Gmail takes");
            json_decref(o[i].reply.json);
        }
    }
    blob_unref(body);
}

/* A stream that breaks says nothing of whether the request was carried out. */
static void test_broken_stream(void **state) {
    struct blob *body = zeros(1);
    struct outcome o;

    (void)state;
    start(&o, "/reset", body, false);
    loop_run();
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
    assert_int_equal(o.reply.status, 0);
    assert_true(o.reply.unknown);
    start(&o, "/reset", body, true); /* and again without HTTP/2 */
    loop_run();
    assert_spoken(&o, "1.1", 1);
    blob_unref(body);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_http2_but_for_large_bodies),
        TEST(test_early_refusal),
        TEST(test_broken_stream),
    };

    return cmocka_run_group_tests(tests, start_api, stop_api);
}
