#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "google.h"
#include "google_server.h"

#define MAILBOX "ann@example.org"

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

static void forget(struct outcome *o) {
    json_decref(o->reply.json);
    *o = (struct outcome){0};
}

static char api_url[128];

static struct google_request request(enum google_api api) {
    snprintf(api_url, sizeof(api_url), "%s/api", url_base);
    return (struct google_request){.api = api,
                                   .step = "Gmail messages.send",
                                   .mailbox = api == GOOGLE_GMAIL ? MAILBOX : NULL,
                                   .method = "POST",
                                   .url = api_url};
}

static struct outcome run(struct google_request rq) {
    struct outcome o = {0};

    google_start(&rq, on_done, &o);
    loop_run();
    assert_int_equal(o.calls, 1);
    return o;
}

static void assert_ok(struct outcome *o) {
    assert_string_equal(o->reply.err.message, "");
    assert_int_equal(o->reply.err.code, ERR_NONE);
    assert_int_equal(o->reply.status, 200);
    assert_false(o->reply.unknown);
    assert_string_equal(json_string_value(json_object_get(o->reply.json, "id")), "m1");
    forget(o);
}

/* --- requests -------------------------------------------------------------------------------- */

static void test_gmail(void **state) {
    struct google_request rq = request(GOOGLE_GMAIL);
    struct outcome o;

    (void)state;
    rq.body = blob_copy("From: x", 7);
    rq.content_type = "message/rfc822";
    o = run(rq);
    assert_ok(&o);
    assert_int_equal(rq.body->refs, 1);
    blob_unref(rq.body);
    assert_contains(last(API), "POST /api HTTP");
    assert_contains(last(API), "\r\nAuthorization: Bearer ya29.mailbox\r\n");
    assert_contains(last(API), "\r\nContent-Type: message/rfc822\r\n");
    assert_contains(last(API), "\r\n\r\nFrom: x");
    assert_lacks(last(API), "x-goog-user-project");
    assert_contains(last(SIGN), "https://mail.google.com/"); /* GMAIL_SCOPES */
    rq = request(GOOGLE_GMAIL);
    rq.method = "GET";
    o = run(rq);
    assert_ok(&o);
    assert_contains(last(API), "GET /api HTTP");
    assert_lacks(last(API), "content-type");
}

static void test_firestore(void **state) {
    struct outcome o = run(request(GOOGLE_FIRESTORE));

    (void)state;
    assert_ok(&o);
    assert_contains(last(API), "\r\nAuthorization: Bearer ya29.own\r\n");
    assert_lacks(last(API), "x-goog-user-project");
    assert_int_equal(calls(SIGN), 0);
}

static void test_quota_project(void **state) {
    char path[] = "/tmp/test_google.XXXXXX";
    static const char text[] =
        "{\"type\":\"authorized_user\",\"client_id\":\"a\",\"client_secret\":"
        "\"b\",\"refresh_token\":\"c\",\"quota_project_id\":\"payer\"}";
    int fd = mkstemp(path);
    struct outcome o;

    (void)state;
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1);
    env.service_account = "sa@p.iam.gserviceaccount.com";
    o = run(request(GOOGLE_FIRESTORE));
    assert_ok(&o);
    assert_contains(last(API), "\r\nx-goog-user-project: payer\r\n");
    assert_contains(last(API), "\r\nAuthorization: Bearer ya29.person\r\n");
    o = run(request(GOOGLE_GMAIL));
    assert_ok(&o);
    assert_lacks(last(API), "x-goog-user-project");
    assert_contains(last(API), "\r\nAuthorization: Bearer ya29.mailbox\r\n");
    unlink(path);
}

static void test_emulator(void **state) {
    struct outcome o;

    (void)state;
    env.firestore_emulator_host = "localhost:1";
    o = run(request(GOOGLE_FIRESTORE));
    assert_ok(&o);
    assert_contains(last(API), "\r\nAuthorization: Bearer owner\r\n");
    assert_int_equal(calls(OWN), 0);
    ANSWERS(API, {401, "", ""});
    o = run(request(GOOGLE_FIRESTORE));
    assert_int_equal(o.reply.status, 401);
    assert_int_equal(calls(API), 1);
    line_up(API, NULL, 0);
    o = run(request(GOOGLE_GMAIL)); /* Gmail's is not emulated */
    assert_ok(&o);
    assert_contains(last(API), "\r\nAuthorization: Bearer ya29.mailbox\r\n");
}

static void test_answers(void **state) {
    struct google_request rq = request(GOOGLE_FIRESTORE);
    struct outcome o;

    (void)state;
    ANSWERS(API, {204, "", ""}, {200, "[{\"readTime\":\"x\"},{\"found\":{}}]", ""});
    o = run(rq);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_int_equal(o.reply.status, 204);
    assert_null(o.reply.json);
    o = run(rq);
    assert_int_equal(json_array_size(o.reply.json), 2);
    forget(&o);
    ANSWERS(API, {200, "{\"large\":\"0123456789\"}", ""});
    rq.max_bytes = 8;
    rq.repeatable = true; /* to no purpose */
    o = run(rq);
    assert_int_equal(calls(API), 1);
    assert_int_equal(o.reply.err.code, ERR_FIRESTORE_ERROR);
    assert_contains(o.reply.err.message, "more than 8 bytes");
}

/* --- 401 ------------------------------------------------------------------------------------- */

#define TOKEN(name)                                                                                \
    { 200, "{\"access_token\":\"" name "\",\"expires_in\":3599}", "" }
#define UNAUTHENTICATED                                                                            \
    { 401, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\"}}", "" }

static void test_401_once(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, TOKEN("first"), TOKEN("second"));
    ANSWERS(API, UNAUTHENTICATED, endpoints[API].good);
    o = run(request(GOOGLE_GMAIL));
    assert_ok(&o);
    assert_int_equal(calls(API), 2);
    assert_int_equal(calls(EXCHANGE), 2);
    assert_contains(last(API), "Bearer second");
}

static void test_401_twice(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(API, UNAUTHENTICATED);
    o = run(request(GOOGLE_GMAIL));
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
    assert_int_equal(o.reply.status, 401);
    assert_string_equal(o.reply.err.reason, "UNAUTHENTICATED");
    assert_false(o.reply.unknown);
    assert_contains(o.reply.err.message, "Gmail messages.send: Gmail refused the token");
    assert_int_equal(calls(API), 2);
    assert_int_equal(calls(EXCHANGE), 2);
    forget(&o);
}

static void test_401_for_many(void **state) {
    struct outcome o[20] = {0};
    struct google_request rq = request(GOOGLE_FIRESTORE);

    (void)state;
    ANSWERS(
        OWN,
        {200, "{\"access_token\":\"first\",\"expires_in\":3599}", "Metadata-Flavor: Google\r\n"},
        {200, "{\"access_token\":\"second\",\"expires_in\":3599}", "Metadata-Flavor: Google\r\n"});
    google.outdated = "Bearer first";
    for (size_t i = 0; i < COUNT_OF(o); i++)
        google_start(&rq, on_done, &o[i]);
    loop_run();
    google.outdated = NULL;
    for (size_t i = 0; i < COUNT_OF(o); i++)
        assert_ok(&o[i]);
    /* Each with the first token, which they had all been given, and once more. */
    assert_int_equal(calls(API), 40);
    assert_int_equal(calls(OWN), 2);
}

static void test_no_token(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, {400, "{\"error\":\"invalid_grant\"}", ""});
    for (int i = 0; i < 2; i++) { /* the second time at once */
        o = run(request(GOOGLE_GMAIL));
        assert_int_equal(o.reply.err.code, ERR_AUTH_ERROR);
        assert_contains(o.reply.err.message, "token exchange: ");
        assert_int_equal(o.reply.status, 0);
        assert_false(o.reply.unknown);
    }
    assert_int_equal(calls(API), 0);
    assert_int_equal(calls(EXCHANGE), 1);
}

/* --- failures, and what is repeated ---------------------------------------------------------- */

#define ERROR(code, status) "{\"error\":{\"code\":" code ",\"status\":\"" status "\"}}"

#define EXHAUSTED(message)                                                                         \
    "{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"" message "\"}}"

static void test_repetition(void **state) {
    static const struct {
        enum google_api api;
        bool repeatable;
        struct answer first, then;
        unsigned calls;
        enum err_code code;
        int status;
        bool unknown;
        const char *reason;
    } cases[] = {
        /* transient, and harmless to repeat */
        {GOOGLE_GMAIL, true, {503, "", ""}, {200, "{}", ""}, 2, ERR_NONE, 200, false, ""},
        {GOOGLE_GMAIL, true, {500, "<html>", ""}, {200, "{}", ""}, 2, ERR_NONE, 200, false, ""},
        {GOOGLE_GMAIL, true, {502, "<html>", ""}, {200, "{}", ""}, 2, ERR_NONE, 200, false, ""},
        {GOOGLE_GMAIL, true, {504, "", ""}, {200, "{}", ""}, 2, ERR_NONE, 200, false, ""},
        {GOOGLE_GMAIL, true, {408, "", ""}, {200, "{}", ""}, 2, ERR_NONE, 200, false, ""},
        {GOOGLE_GMAIL, true, {0, "", ""}, {200, "{}", ""}, 2, ERR_NONE, 200, false, ""},
        {GOOGLE_FIRESTORE,
         true,
         {409, ERROR("409", "ABORTED"), ""},
         {200, "{}", ""},
         2,
         ERR_NONE,
         200,
         false,
         ""},
        {GOOGLE_FIRESTORE,
         true,
         {429, EXHAUSTED("Quota exceeded."), ""},
         {200, "{}", ""},
         2,
         ERR_NONE,
         200,
         false,
         ""},
        /* and for ever */
        {GOOGLE_FIRESTORE,
         true,
         {429, EXHAUSTED("Quota exceeded."), ""},
         {429, EXHAUSTED("Quota exceeded."), ""},
         5,
         ERR_RATE_LIMITED,
         429,
         false,
         "RESOURCE_EXHAUSTED"},
        {GOOGLE_GMAIL, true, {503, "", ""}, {503, "", ""}, 5, ERR_GMAIL_ERROR, 503, true, ""},
        {GOOGLE_FIRESTORE,
         true,
         {503, ERROR("503", "UNAVAILABLE"), ""},
         {503, ERROR("503", "UNAVAILABLE"), ""},
         5,
         ERR_FIRESTORE_ERROR,
         503,
         true,
         "UNAVAILABLE"},
        {GOOGLE_FIRESTORE,
         true,
         {409, ERROR("409", "ABORTED"), ""},
         {409, ERROR("409", "ABORTED"), ""},
         5,
         ERR_FIRESTORE_ERROR,
         409,
         false,
         "ABORTED"},
        /* the first attempt may have done it */
        {GOOGLE_FIRESTORE,
         true,
         {503, "", ""},
         {409, ERROR("409", "ALREADY_EXISTS"), ""},
         2,
         ERR_FIRESTORE_ERROR,
         409,
         true,
         "ALREADY_EXISTS"},
        /* not repeated */
        {GOOGLE_GMAIL, false, {503, "", ""}, {200, "{}", ""}, 1, ERR_GMAIL_ERROR, 503, true, ""},
        {GOOGLE_GMAIL, false, {408, "", ""}, {200, "{}", ""}, 1, ERR_GMAIL_ERROR, 408, true, ""},
        {GOOGLE_GMAIL, false, {0, "", ""}, {200, "{}", ""}, 1, ERR_GMAIL_ERROR, 0, true, ""},
        {GOOGLE_FIRESTORE,
         false,
         {409, ERROR("409", "ABORTED"), ""},
         {200, "{}", ""},
         1,
         ERR_FIRESTORE_ERROR,
         409,
         false,
         "ABORTED"},
        {GOOGLE_GMAIL,
         true,
         {400, ERROR("400", "INVALID_ARGUMENT"), ""},
         {200, "{}", ""},
         1,
         ERR_GMAIL_ERROR,
         400,
         false,
         "INVALID_ARGUMENT"},
        {GOOGLE_GMAIL, true, {404, "", ""}, {200, "{}", ""}, 1, ERR_GMAIL_ERROR, 404, false, ""},
        {GOOGLE_GMAIL,
         true,
         {302, "", "Location: /token\r\n"},
         {200, "{}", ""},
         1,
         ERR_GMAIL_ERROR,
         302,
         false,
         ""},
        {GOOGLE_GMAIL, true, {429, "", ""}, {200, "{}", ""}, 1, ERR_RATE_LIMITED, 429, false, ""},
        {GOOGLE_FIRESTORE,
         true,
         {429, EXHAUSTED("limit 'Free daily reads per project' of service"), ""},
         {200, "{}", ""},
         1,
         ERR_RATE_LIMITED,
         429,
         false,
         "RESOURCE_EXHAUSTED"},
        {GOOGLE_FIRESTORE,
         false,
         {499, ERROR("499", "CANCELLED"), ""},
         {200, "{}", ""},
         1,
         ERR_FIRESTORE_ERROR,
         499,
         true,
         "CANCELLED"},
        /* more than the deadline allows */
        {GOOGLE_FIRESTORE,
         true,
         {429, EXHAUSTED("Quota exceeded."), "Retry-After: 30\r\n"},
         {200, "{}", ""},
         1,
         ERR_RATE_LIMITED,
         429,
         false,
         "RESOURCE_EXHAUSTED"},
        {GOOGLE_GMAIL,
         true,
         {503, "", "Retry-After: 30\r\n"},
         {200, "{}", ""},
         1,
         ERR_GMAIL_ERROR,
         503,
         true,
         ""},
        /* a 200 that is none */
        {GOOGLE_GMAIL,
         false,
         {200, "<html>", ""},
         {200, "{}", ""},
         1,
         ERR_GMAIL_ERROR,
         200,
         true,
         ""},
        {GOOGLE_FIRESTORE,
         true,
         {200, "[{\"document\":{}}," ERROR("503", "UNAVAILABLE") "]", ""},
         {200, "{}", ""},
         2,
         ERR_NONE,
         200,
         false,
         ""},
        {GOOGLE_FIRESTORE,
         false,
         {200, "[" ERROR("403", "PERMISSION_DENIED") "]", ""},
         {200, "{}", ""},
         1,
         ERR_FIRESTORE_ERROR,
         200,
         true,
         "PERMISSION_DENIED"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct google_request rq = request(cases[i].api);
        struct outcome o;

        ANSWERS(API, cases[i].first, cases[i].then);
        rq.repeatable = cases[i].repeatable;
        o = run(rq);
        if (calls(API) != cases[i].calls || o.reply.err.code != cases[i].code ||
            o.reply.status != cases[i].status || o.reply.unknown != cases[i].unknown ||
            strcmp(o.reply.err.reason, cases[i].reason) != 0)
            fail_msg("case %zu: %u calls, %s, status %d, unknown %d, reason %s", i, calls(API),
                     err_word(o.reply.err.code), o.reply.status, o.reply.unknown,
                     o.reply.err.reason);
        if (cases[i].code != ERR_NONE)
            assert_contains(o.reply.err.message, "Gmail messages.send: ");
        forget(&o);
    }
}

static void test_rate_limits(void **state) {
    static const struct {
        struct answer answer;
        int retry_after;
    } cases[] = {
        {{429, "", "Retry-After: 17\r\n"}, 17},
        {{429, "", ""}, 60},
        {{403,
          "{\"error\":{\"code\":403,\"errors\":[{\"domain\":\"usageLimits\",\"reason\":"
          "\"userRateLimitExceeded\"}]}}",
          ""},
         60},
        {{429,
          "{\"error\":{\"code\":429,\"message\":\"User-rate limit exceeded.  Retry after "
          "2999-03-10T17:41:45.544Z\",\"errors\":[{\"reason\":\"rateLimitExceeded\"}]}}",
          ""},
         86400},
        {{429,
          "{\"error\":{\"code\":429,\"details\":[{\"@type\":\"type.googleapis.com/google.rpc."
          "RetryInfo\",\"retryDelay\":\"3.5s\"}]}}",
          "Retry-After: 90\r\n"},
         4},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        line_up(API, &cases[i].answer, 1);
        o = run(request(GOOGLE_GMAIL));
        assert_int_equal(o.reply.err.code, ERR_RATE_LIMITED);
        assert_int_equal(o.reply.err.retry_after, cases[i].retry_after);
        assert_false(o.reply.unknown);
        assert_int_equal(calls(API), 1);
        forget(&o);
    }
}

/* Nothing reached anybody, so that even a send is tried again, and surely was not done. */
static void test_no_connection(void **state) {
    struct google_request rq = request(GOOGLE_GMAIL);
    struct outcome o;

    (void)state;
    rq.url = "http://127.0.0.1:1/api";
    o = run(rq);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
    assert_contains(o.reply.err.message, "Gmail messages.send: the exchange with "
                                         "http://127.0.0.1:1 failed");
    assert_false(o.reply.unknown);
    rq.url = "no address";
    o = run(rq);
    assert_int_equal(o.reply.err.code, ERR_INTERNAL_ERROR);
    assert_contains(o.reply.err.message, "Gmail messages.send: the URL is not");
}

static uint64_t fetch_timeout_ms; /* of the last exchange; --wrap puts this before fetch.c's */

struct fetch *__real_fetch_start(const struct fetch_request *rq, fetch_done_fn *done, void *arg,
                                 struct err *e);
struct fetch *__wrap_fetch_start(const struct fetch_request *rq, fetch_done_fn *done, void *arg,
                                 struct err *e);

struct fetch *__wrap_fetch_start(const struct fetch_request *rq, fetch_done_fn *done, void *arg,
                                 struct err *e) {
    fetch_timeout_ms = rq->timeout_ms;
    return __real_fetch_start(rq, done, arg, e);
}

/* The token takes some of the time, but surely not all that is added for 200,000 bytes. */
static void test_uploads_have_more_time(void **state) {
    struct google_request rq = request(GOOGLE_GMAIL);
    struct outcome o;

    (void)state;
    o = run(rq);
    assert_ok(&o);
    assert_true(fetch_timeout_ms <= 5000);
    rq.body = blob_own(calloc(1, 200000), 200000);
    o = run(rq);
    assert_ok(&o);
    assert_true(fetch_timeout_ms > 5000 && fetch_timeout_ms <= 7000);
    blob_unref(rq.body);
}

static void on_token_ignored(const struct err *e, const struct auth_token *token, void *arg) {
    (void)e;
    (void)token;
    (void)arg;
}

static void test_time_out(void **state) {
    struct google_request rq = request(GOOGLE_GMAIL);
    struct outcome o;

    (void)state;
    env.upstream_timeout = 1;
    ANSWERS(API, {-1, "", ""});
    o = run(rq);
    assert_int_equal(o.reply.err.code, ERR_TIMEOUT);
    assert_contains(o.reply.err.message, "Gmail messages.send: ");
    assert_true(o.reply.unknown);
    assert_int_equal(calls(API), 1);
    rq.mailbox = "bob@example.org";
    ANSWERS(EXCHANGE, {-1, "", ""});
    env.upstream_timeout = 2; /* of the token's flight, which goes on */
    auth_start(rq.mailbox, env.gmail_scopes, on_token_ignored, NULL);
    env.upstream_timeout = 1;
    o = run(rq);
    assert_int_equal(o.reply.err.code, ERR_TIMEOUT);
    assert_contains(o.reply.err.message, "Gmail messages.send: there was no access token in time");
    assert_false(o.reply.unknown);
    assert_int_equal(calls(API), 1);
}

/* --- cancelling ------------------------------------------------------------------------------ */

static void test_cancel(void **state) {
    static const enum endpoint stages[] = {OWN, SIGN, EXCHANGE, API};
    struct google_request rq = request(GOOGLE_GMAIL);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        struct outcome o = {0};
        struct google_call *c;
        struct err e;

        auth_fini();
        assert_int_equal(auth_init(&e), 0);
        ANSWERS(stages[i], {-1, "", ""});
        c = google_start(&rq, on_done, &o);
        assert_non_null(c);
        run_until_called(stages[i], 1);
        google_cancel(&c);
        assert_null(c);
        google_cancel(&c);
        auth_fini();
        loop_run();
        assert_int_equal(o.calls, 0);
        assert_int_equal(auth_init(&e), 0);
        line_up(stages[i], NULL, 0);
    }
}

static void test_cancel_between_attempts(void **state) {
    struct google_request rq = request(GOOGLE_FIRESTORE);
    struct outcome o = {0};
    struct google_call *c;

    (void)state;
    rq.repeatable = true;
    ANSWERS(API, {503, "", "Retry-After: 2\r\n"});
    c = google_start(&rq, on_done, &o);
    run_until_called(API, 1);
    run_for(50);
    google_cancel(&c);
    loop_run();
    assert_int_equal(o.calls, 0);
    assert_int_equal(calls(API), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_gmail),
        TEST(test_firestore),
        TEST(test_quota_project),
        TEST(test_emulator),
        TEST(test_answers),
        TEST(test_401_once),
        TEST(test_401_twice),
        TEST(test_401_for_many),
        TEST(test_no_token),
        TEST(test_repetition),
        TEST(test_rate_limits),
        TEST(test_no_connection),
        TEST(test_uploads_have_more_time),
        TEST(test_time_out),
        TEST(test_cancel),
        TEST(test_cancel_between_attempts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
