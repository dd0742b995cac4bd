#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

#include <jansson.h>

#include "google_server.h"

#define MAILBOX "ann@example.org"
#define SCOPES  "https://mail.google.com/ https://www.googleapis.com/auth/gmail.readonly"

struct outcome {
    unsigned calls;
    struct err err;
    char value[256], quota_project[64];
};

static void on_token(const struct err *e, const struct auth_token *token, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->err = *e;
    assert_int_equal(token != NULL, e->code == ERR_NONE);
    snprintf(o->value, sizeof(o->value), "%s", token != NULL ? token->bearer : "");
    snprintf(o->quota_project, sizeof(o->quota_project), "%s",
             token != NULL && token->quota_project != NULL ? token->quota_project : "");
}

static void on_value(const struct err *e, const char *value, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->err = *e;
    assert_int_equal(value != NULL, e->code == ERR_NONE);
    snprintf(o->value, sizeof(o->value), "%s", value != NULL ? value : "");
}

static struct outcome get(const char *mailbox, const char *scopes) {
    struct outcome o = {0};

    auth_start(mailbox, scopes, on_token, &o);
    loop_run();
    assert_int_equal(o.calls, 1);
    return o;
}

static struct outcome get_mailbox(void) {
    return get(MAILBOX, SCOPES);
}

static struct outcome get_signing_key(void) {
    struct outcome o = {0};

    auth_signing_key(MAILBOX, SCOPES, on_value, &o);
    loop_run();
    assert_int_equal(o.calls, 1);
    return o;
}

static struct outcome get_client_id(void) {
    struct outcome o = {0};

    auth_client_id(on_value, &o);
    loop_run();
    assert_int_equal(o.calls, 1);
    return o;
}

static void assert_value(const struct outcome *o, const char *want) {
    assert_string_equal(o->err.message, "");
    assert_int_equal(o->err.code, ERR_NONE);
    assert_string_equal(o->value, want);
}

static void assert_fails(const struct outcome *o, enum err_code code, const char *says) {
    assert_contains(o->err.message, says);
    assert_int_equal(o->err.code, code);
    assert_true(strlen(o->err.message) <= 500);
    assert_lacks(o->err.message, "ya29");
    assert_lacks(o->err.message, "eyJ");
}

/* Nothing of what was found out before is known any more. */
static void forget_all(void) {
    struct err e;

    auth_fini();
    assert_int_equal(auth_init(&e), 0);
}

/* --- the chain ------------------------------------------------------------------------------- */

static json_t *claims_of_last(void) {
    json_t *body = json_loads(strstr(last(SIGN), "\r\n\r\n") + 4, 0, NULL), *claims;

    assert_non_null(body);
    assert_int_equal(json_object_size(body), 1);
    claims = json_loads(json_string_value(json_object_get(body, "payload")), 0, NULL);
    assert_non_null(claims);
    json_decref(body);
    return claims;
}

static void test_chain(void **state) {
    struct outcome o = get_mailbox();
    json_t *claims = claims_of_last();
    json_int_t iat = json_integer_value(json_object_get(claims, "iat"));
    json_int_t exp = json_integer_value(json_object_get(claims, "exp"));

    (void)state;
    assert_value(&o, "ya29.mailbox");
    assert_string_equal(o.quota_project, "");
    assert_contains(last(OWN), "GET /computeMetadata/v1/instance/service-accounts/default/token ");
    assert_contains(last(OWN), "\r\nMetadata-Flavor: Google\r\n");
    assert_contains(last(SIGN), "POST /v1/projects/-/serviceAccounts/"
                                "sa@project.iam.gserviceaccount.com:signJwt HTTP");
    assert_contains(last(SIGN), "\r\nAuthorization: Bearer ya29.own\r\n");
    assert_contains(last(SIGN), "\r\nContent-Type: application/json\r\n");
    assert_lacks(last(SIGN), "x-goog-user-project");
    assert_int_equal(json_object_size(claims), 6);
    assert_string_equal(json_string_value(json_object_get(claims, "iss")),
                        "sa@project.iam.gserviceaccount.com");
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), MAILBOX);
    assert_string_equal(json_string_value(json_object_get(claims, "scope")), SCOPES);
    assert_string_equal(json_string_value(json_object_get(claims, "aud")),
                        "https://oauth2.googleapis.com/token");
    assert_true(llabs((long long)iat - time(NULL)) < 5);
    assert_int_equal(exp - iat, 3600);
    assert_contains(last(EXCHANGE), "\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    assert_contains(last(EXCHANGE), "\r\n\r\ngrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type"
                                    "%3Ajwt-bearer&assertion=eyJhbGciOiJS.eyJpc3Mi.c2ln");
    assert_lacks(last(EXCHANGE), "authorization:");
    json_decref(claims);
}

static void assert_calls(unsigned own, unsigned sign, unsigned exchange) {
    assert_int_equal(calls(OWN), own);
    assert_int_equal(calls(SIGN), sign);
    assert_int_equal(calls(EXCHANGE), exchange);
}

static void test_single_flight(void **state) {
    struct outcome o[50] = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(o); i++)
        assert_non_null(auth_start(MAILBOX, SCOPES, on_token, &o[i]));
    loop_run();
    for (size_t i = 0; i < COUNT_OF(o); i++) {
        assert_int_equal(o[i].calls, 1);
        assert_value(&o[i], "ya29.mailbox");
    }
    assert_calls(1, 1, 1);
    assert_int_equal(calls(EMAIL), 1);
}

static void test_sequential(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct outcome o = get_mailbox();

        assert_value(&o, "ya29.mailbox");
    }
    assert_calls(1, 1, 1);
    assert_int_equal(calls(EMAIL), 1);
}

/* Another mailbox, other scopes: other tokens; the own one and the account are shared. */
static void test_keys(void **state) {
    static const char *const keys[][2] = {
        {MAILBOX, SCOPES}, {MAILBOX, "https://mail.google.com/"}, {"bob@example.org", SCOPES}};
    struct outcome o[COUNT_OF(keys)] = {0};

    (void)state;
    ANSWERS(EXCHANGE, {200, "{\"access_token\":\"a\",\"expires_in\":3599}", ""},
            {200, "{\"access_token\":\"b\",\"expires_in\":3599}", ""},
            {200, "{\"access_token\":\"c\",\"expires_in\":3599}", ""});
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_non_null(auth_start(keys[i][0], keys[i][1], on_token, &o[i]));
    loop_run();
    assert_calls(1, 3, 3);
    assert_int_equal(calls(EMAIL), 1);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct outcome again = get(keys[i][0], keys[i][1]);

        assert_value(&again, o[i].value);
        assert_string_not_equal(o[i].value, o[(i + 1) % COUNT_OF(keys)].value);
    }
    assert_calls(1, 3, 3);
}

static void test_own(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(OWN, {200, "{\"access_token\":\"ya29.o\",\"expires_in\":\"3600\"}",
                  "Metadata-Flavor: Google\r\n"});
    o = get(NULL, NULL);
    assert_value(&o, "ya29.o");
    o = get(NULL, NULL);
    assert_value(&o, "ya29.o");
    assert_calls(1, 0, 0);
}

/* --- time ------------------------------------------------------------------------------------ */

#define TOKEN(name, life)                                                                          \
    { 200, "{\"access_token\":\"" name "\",\"expires_in\":" life "}", "" }

/* One second before the margin, and one within it: used as it is, and refreshed behind. */
static void test_margin(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, TOKEN("first", "226"), TOKEN("second", "3599"));
    o = get_mailbox();
    assert_value(&o, "first");
    o = get_mailbox();
    assert_calls(1, 1, 1);
    run_for(1050);
    o = (struct outcome){0};
    assert_null(auth_start(MAILBOX, SCOPES, on_token, &o)); /* at once */
    assert_value(&o, "first");
    assert_null(auth_start(MAILBOX, SCOPES, on_token, &o));
    loop_run();
    assert_calls(1, 2, 2);
    o = get_mailbox();
    assert_value(&o, "second");
    assert_calls(1, 2, 2);
}

static void test_new_token_inside_margin(void **state) {
    (void)state;
    ANSWERS(EXCHANGE, TOKEN("short", "100"));
    for (int i = 0; i < 20; i++) {
        struct outcome o = get_mailbox();

        assert_value(&o, "short");
    }
    assert_calls(1, 1, 1);
}

static void test_expired(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, TOKEN("first", "0"), TOKEN("second", "-5"), TOKEN("third", "1"),
            TOKEN("fourth", "1e9"));
    o = get_mailbox();
    assert_value(&o, "first"); /* who waited gets what came */
    o = get_mailbox();
    assert_value(&o, "second");
    o = get_mailbox();
    assert_value(&o, "third");
    o = get_mailbox();
    assert_value(&o, "third");
    run_for(1050);
    o = get_mailbox();
    assert_value(&o, "fourth");
    assert_calls(1, 4, 4);
}

/* What cannot be refreshed is used to its end. */
static void test_refresh_fails(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, TOKEN("first", "1"), {400, "{\"error\":\"invalid_grant\"}", ""});
    o = get_mailbox();
    run_for(400);
    o = get_mailbox();
    assert_value(&o, "first");
    assert_calls(1, 2, 2);
    o = get_mailbox();
    assert_value(&o, "first");
    assert_calls(1, 2, 2); /* the failure is remembered */
    run_for(800);
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "token exchange: ");
    assert_calls(1, 2, 2);
}

static void test_failures_are_kept(void **state) {
    struct outcome o, waiting[3] = {0};

    (void)state;
    ANSWERS(EXCHANGE, {400, "{\"error\":\"invalid_grant\"}", ""});
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        auth_start(MAILBOX, SCOPES, on_token, &waiting[i]);
    loop_run();
    for (size_t i = 0; i < COUNT_OF(waiting); i++)
        assert_fails(&waiting[i], ERR_AUTH_ERROR, "token exchange: ");
    run_for(1200);
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "token exchange: ");
    assert_calls(1, 1, 1);
    o = get("bob@example.org", SCOPES); /* his own failure */
    assert_calls(1, 2, 2);
}

static void test_transient_failures_are_kept_shorter(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, {503, "", ""}, {503, "", ""}, {503, "", ""}, {503, "", ""}, {503, "", ""},
            endpoints[EXCHANGE].good);
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "token exchange: Google is overloaded");
    assert_int_equal(calls(EXCHANGE), 5);
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "token exchange: Google is overloaded");
    assert_int_equal(calls(EXCHANGE), 5);
    run_for(1050);
    o = get_mailbox();
    assert_value(&o, "ya29.mailbox");
}

static void test_time_out(void **state) {
    static const struct {
        enum endpoint at;
        const char *says;
    } cases[] = {{OWN, "metadata server: "}, {SIGN, "signJwt: "}, {EXCHANGE, "token exchange: "}};

    (void)state;
    env.upstream_timeout = 1;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        forget_all();
        ANSWERS(cases[i].at, {-1, "", ""});
        o = get_mailbox();
        assert_fails(&o, ERR_TIMEOUT, cases[i].says);
        line_up(cases[i].at, NULL, 0);
    }
}

/* --- refusals -------------------------------------------------------------------------------- */

static void test_refused_token(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, TOKEN("first", "3599"), TOKEN("second", "3599"));
    o = get_mailbox();
    assert_value(&o, "first");
    auth_refused(MAILBOX, SCOPES, "another");
    auth_refused("bob@example.org", SCOPES, "first");
    auth_refused(MAILBOX, "https://mail.google.com/", "first");
    o = get_mailbox();
    assert_value(&o, "first");
    auth_refused(MAILBOX, SCOPES, "first");
    o = get_mailbox();
    assert_value(&o, "second");
    auth_refused(MAILBOX, SCOPES, "first"); /* late: a newer one has come since */
    o = get_mailbox();
    assert_value(&o, "second");
    assert_calls(1, 2, 2);
    auth_refused(NULL, NULL, "ya29.own");
    o = get(NULL, NULL);
    assert_calls(2, 2, 2);
}

#define UNAUTHENTICATED                                                                            \
    { 401, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\"}}", "" }

static void test_own_token_refused(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(SIGN, UNAUTHENTICATED, endpoints[SIGN].good);
    o = get_mailbox();
    assert_value(&o, "ya29.mailbox");
    assert_calls(2, 2, 1);
}

static void test_own_token_refused_twice(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(SIGN, UNAUTHENTICATED);
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "signJwt: the caller's own token was refused");
    assert_calls(2, 2, 0);
}

/* --- cancelling ------------------------------------------------------------------------------ */

static void test_cancel(void **state) {
    struct outcome o[3] = {0}, later;
    struct auth_call *c[3];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(o); i++)
        assert_non_null(c[i] = auth_start(MAILBOX, SCOPES, on_token, &o[i]));
    auth_cancel(&c[1]);
    assert_null(c[1]);
    auth_cancel(&c[1]);
    loop_run();
    assert_int_equal(o[0].calls, 1);
    assert_int_equal(o[1].calls, 0);
    assert_int_equal(o[2].calls, 1);
    auth_cancel(&c[1]);

    /* Nobody waits any more, and the token comes all the same. */
    c[0] = auth_start("bob@example.org", SCOPES, on_token, &o[1]);
    auth_cancel(&c[0]);
    loop_run();
    assert_int_equal(o[1].calls, 0);
    later = (struct outcome){0};
    assert_null(auth_start("bob@example.org", SCOPES, on_token, &later));
    assert_value(&later, "ya29.mailbox");
}

struct meddler {
    struct outcome outcome, again;
    struct auth_call **other;
};

/* A listener that cancels another one, refuses the token it was given, and asks again. */
static void on_token_meddle(const struct err *e, const struct auth_token *token, void *arg) {
    struct meddler *m = arg;

    auth_cancel(m->other);
    auth_refused(MAILBOX, SCOPES, token->bearer);
    assert_non_null(auth_start(MAILBOX, SCOPES, on_token, &m->again));
    on_token(e, token, &m->outcome);
}

static void test_listeners_meddle(void **state) {
    struct outcome first = {0}, cancelled = {0};
    struct auth_call *call;
    struct meddler m = {.other = &call};

    (void)state;
    ANSWERS(EXCHANGE, TOKEN("first", "3599"), TOKEN("second", "3599"));
    auth_start(MAILBOX, SCOPES, on_token, &first);
    call = auth_start(MAILBOX, SCOPES, on_token, &cancelled);
    auth_start(MAILBOX, SCOPES, on_token_meddle, &m);
    loop_run();
    assert_value(&m.outcome, "first");
    assert_value(&m.again, "second");
    assert_value(&first, "first");
    assert_int_equal(cancelled.calls, 0);
    assert_calls(1, 2, 2);
}

static void test_shut_down(void **state) {
    static const enum endpoint stops[] = {OWN, EMAIL, SIGN, EXCHANGE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(stops); i++) {
        struct outcome o[2] = {0}, late = {0};

        forget_all();
        ANSWERS(stops[i], {-1, "", ""});
        auth_start(MAILBOX, SCOPES, on_token, &o[0]);
        auth_start(NULL, NULL, on_token, &o[1]);
        run_until_called(stops[i], 1);
        auth_fini();
        assert_int_equal(o[0].calls, 1);
        assert_int_equal(o[0].err.code, ERR_SHUTTING_DOWN);
        assert_int_equal(o[1].calls, 1);
        assert_null(auth_start(MAILBOX, SCOPES, on_token, &late));
        assert_int_equal(late.err.code, ERR_SHUTTING_DOWN);
        loop_run();
        line_up(stops[i], NULL, 0);
    }
}

/* A caller may name any mailbox of a domain: the cache has a ceiling. */
static void test_many_mailboxes(void **state) {
    struct outcome sink = {0};
    char mailbox[64];
    unsigned waiting = 0;

    (void)state;
    gate(true);
    for (int i = 0; i < 1100; i++) {
        snprintf(mailbox, sizeof(mailbox), "user%d@example.org", i);
        waiting += auth_start(mailbox, SCOPES, on_token, &sink) != NULL;
    }
    assert_int_equal(waiting, 999); /* and one entry is the account's */
    assert_int_equal(sink.calls, 1100 - 999);
    assert_int_equal(sink.err.code, ERR_OVERLOADED);
    auth_fini();
    assert_int_equal(sink.calls, 1100);
}

static void test_eviction(void **state) {
    struct outcome o;
    char mailbox[64];

    (void)state;
    env.service_account = "not an account"; /* so that each fails at once */
    o = get_mailbox();
    for (int i = 0; i < 1100; i++) {
        snprintf(mailbox, sizeof(mailbox), "user%d@example.org", i);
        o = get(mailbox, SCOPES);
        assert_fails(&o, ERR_AUTH_ERROR, "GOOGLE_SERVICE_ACCOUNT_EMAIL is not the address");
    }
    assert_int_equal(calls(OWN), 1);
}

/* --- names ----------------------------------------------------------------------------------- */

static struct outcome get_value(struct auth_call *(*ask)(auth_value_fn *, void *)) {
    struct outcome o = {0};

    ask(on_value, &o);
    loop_run();
    assert_int_equal(o.calls, 1);
    return o;
}

static void test_names(void **state) {
    struct outcome o;

    (void)state;
    for (int i = 0; i < 3; i++) {
        o = get_value(auth_service_account);
        assert_value(&o, "sa@project.iam.gserviceaccount.com");
        o = get_value(auth_project);
        assert_value(&o, "the-project");
    }
    assert_int_equal(calls(EMAIL), 1);
    assert_int_equal(calls(PROJECT), 1);
    forget_all();
    env.service_account = "other@project.iam.gserviceaccount.com";
    env.project = "other-project";
    o = get_value(auth_service_account);
    assert_value(&o, env.service_account);
    o = get_value(auth_project);
    assert_value(&o, env.project);
    assert_int_equal(calls(EMAIL), 1);
    assert_int_equal(calls(PROJECT), 1);
}

static void test_bad_names(void **state) {
    static const char *const names[] = {"", "  \n", "no-address", "a/b@c", "a\x01@b", "\xff@b"};
    static char large[400]; /* the server may still be sending it when nobody reads on */

    (void)state;
    memset(large, 'a', sizeof(large) - 1);
    for (size_t i = 0; i <= COUNT_OF(names); i++) {
        struct outcome o;

        forget_all();
        ANSWERS(EMAIL,
                {200, i < COUNT_OF(names) ? names[i] : large, "Metadata-Flavor: Google\r\n"});
        o = get_value(auth_service_account);
        assert_fails(&o, ERR_AUTH_ERROR, "metadata server: the answer has no usable ");
    }
}

/* --- the metadata server --------------------------------------------------------------------- */

static void test_metadata_failures(void **state) {
    static const struct {
        struct answer answer;
        unsigned calls;
        const char *says;
    } cases[] = {
        {{0, "", ""}, 5, "http://127.0.0.1:"},
        {{200, "{\"access_token\":\"ya29.x\",\"expires_in\":1}", ""}, 1, "is no metadata server"},
        {{302, "", "Location: http://portal.test/\r\n"}, 1, "is no metadata server"},
        {{404, "", "Metadata-Flavor: Google\r\n"}, 1, "no service account is attached"},
        {{403, "", "Metadata-Flavor: Google\r\n"}, 1, "its scopes do not allow it"},
        {{503, "", "Metadata-Flavor: Google\r\n"}, 5, "overloaded"},
        {{429, "", "Metadata-Flavor: Google\r\n"}, 5, "too many requests"},
        {{408, "", "Metadata-Flavor: Google\r\n"}, 5, "in time"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        forget_all();
        line_up(OWN, &cases[i].answer, 1);
        o = get(NULL, NULL);
        assert_fails(&o, ERR_AUTH_ERROR, "metadata server: ");
        assert_contains(o.err.message, cases[i].says);
        if (calls(OWN) != cases[i].calls)
            fail_msg("case %zu: %u calls", i, calls(OWN));
    }
}

static void test_metadata_recovers(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(OWN, {0, "", ""}, {503, "", "Metadata-Flavor: Google\r\n"}, endpoints[OWN].good);
    o = get(NULL, NULL);
    assert_value(&o, "ya29.own");
    assert_int_equal(calls(OWN), 3);
}

/* --- malformed answers ----------------------------------------------------------------------- */

static void test_malformed_answers(void **state) {
    static const char *const bodies[] = {
        "",
        "{",
        "[]",
        "null",
        "42",
        "\"\"",
        "{}",
        "<html>hello</html>",
        "\xff\xfe",
        "{\"access_token\":42,\"expires_in\":3600}",
        "{\"access_token\":\"\",\"expires_in\":3600}",
        "{\"access_token\":null,\"expires_in\":3600}",
        "{\"access_token\":\"ya29.x\\r\\nX-Evil: 1\",\"expires_in\":3600}",
        "{\"access_token\":\"ya29.x y\",\"expires_in\":3600}",
        "{\"access_token\":\"ya29.\xc3\xa9\",\"expires_in\":3600}",
        "{\"access_token\":\"ya29.x\"}",
        "{\"access_token\":\"ya29.x\",\"expires_in\":null}",
        "{\"access_token\":\"ya29.x\",\"expires_in\":\"\"}",
        "{\"access_token\":\"ya29.x\",\"expires_in\":\"soon\"}",
        "{\"access_token\":\"ya29.x\",\"expires_in\":\"-1\"}",
        "{\"access_token\":\"ya29.x\",\"expires_in\":\"inf\"}",
        "{\"access_token\":\"ya29.x\",\"expires_in\":{}}",
        "{\"access_token\":\"ya29.x\",\"access_token\":\"ya29.y\",\"expires_in\":3600}",
        "{\"access_token\":\"ya29.x\",\"expireTime\":\"tomorrow\"}",
        "{\"signedJwt\":\"\"}",
        "{\"signedJwt\":\"a&b=c\"}",
        "{\"signedJwt\":[]}",
    };
    static const enum endpoint places[] = {OWN, SIGN, EXCHANGE};
    static const char *const steps[] = {"metadata server: ", "signJwt: ", "token exchange: "};

    (void)state;
    for (size_t at = 0; at < COUNT_OF(places); at++) {
        for (size_t i = 0; i < COUNT_OF(bodies); i++) {
            struct outcome o;

            forget_all();
            ANSWERS(places[at], {200, bodies[i], "Metadata-Flavor: Google\r\n"});
            o = get_mailbox();
            assert_fails(&o, ERR_AUTH_ERROR, steps[at]);
            assert_contains(o.err.message, "the answer");
        }
        line_up(places[at], NULL, 0);
    }
}

static void test_huge_answers(void **state) {
    static char deep[100001], large[300 * 1024];
    struct outcome o;

    (void)state;
    memset(deep, '[', sizeof(deep) - 1);
    memset(large, ' ', sizeof(large) - 1);
    ANSWERS(EXCHANGE, {200, deep, ""});
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "nested deeper");
    forget_all();
    ANSWERS(SIGN, {200, large, ""});
    o = get_mailbox();
    assert_fails(&o, ERR_AUTH_ERROR, "more than 262144 bytes");
    assert_int_equal(calls(SIGN), 1);
}

/* --- symptoms, end to end -------------------------------------------------------------------- */

static void test_symptoms(void **state) {
    static const struct {
        enum endpoint at;
        struct answer answer;
        const char *says[4];
    } cases[] = {
        {SIGN,
         {403,
          "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"message\":\"Permission "
          "'iam.serviceAccounts.signJwt' denied on resource (or it may not exist).\",\"details\":"
          "[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
          "\"IAM_PERMISSION_DENIED\",\"domain\":\"iam.googleapis.com\",\"metadata\":"
          "{\"permission\":\"iam.serviceAccounts.signJwt\"}}]}}",
          ""},
         {"signJwt: ", "roles/iam.serviceAccountTokenCreator", "sa@project.iam.gserviceaccount.com",
          "403 IAM_PERMISSION_DENIED"}},
        {EXCHANGE,
         {401,
          "{\"error\":\"unauthorized_client\",\"error_description\":\"Client is unauthorized to "
          "retrieve access tokens using this method, or client not authorized for any of the "
          "scopes requested.\"}",
          ""},
         {"token exchange: ",
          "https://mail.google.com/, https://www.googleapis.com/auth/gmail.readonly",
          "Domain-wide delegation",
          "gcloud iam service-accounts describe sa@project.iam.gserviceaccount.com"}},
        {EXCHANGE,
         {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid email or User ID\"}",
          ""},
         {"token exchange: ", MAILBOX " does not exist", "primary address", "invalid_grant"}},
        {EXCHANGE,
         {200, "{\"id_token\":\"eyJh.eyJz.c2ln\"}", ""},
         {"token exchange: ", "does not exist, so Google gave an ID token", "gmail.readonly",
          "GMAIL_SCOPES"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        forget_all();
        line_up(cases[i].at, &cases[i].answer, 1);
        o = get_mailbox();
        for (size_t j = 0; j < COUNT_OF(cases[i].says); j++)
            assert_fails(&o, ERR_AUTH_ERROR, cases[i].says[j]);
        assert_int_equal(calls(cases[i].at), 1);
        line_up(cases[i].at, NULL, 0);
    }
}

#define SUBJECT                                                                                             \
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMTIyMzM0NDU1IiwiZW1haWwiOiJzYUBwcm9qZWN0LmlhbS5nc2VydmljZWFjY291bnQu" \
    "Y29tIn0.c2ln"
#define OTHERS_SUBJECT                                                                             \
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMTIyMzM0NDU1IiwiZW1haWwiOiJvdGhlckBwcm9qZWN0In0.c2ln"

/* The numeric client id that the Admin console asks for, from the metadata server, else from IAM.
 */
static void test_client_id(void **state) {
    static const struct {
        const char *identity; /* claims: {"sub":…,"email":…} */
        const char *id_token;
        const char *says;
        unsigned iam_calls;
    } cases[] = {
        {SUBJECT, "", "client id (1122334455)", 0},
        {OTHERS_SUBJECT, "{\"token\":\"" SUBJECT "\"}", "client id (1122334455)", 1},
        {OTHERS_SUBJECT, "{\"token\":\"" OTHERS_SUBJECT "\"}", "gcloud iam", 1},
        {"e30.e30.c2ln", "{}", "gcloud iam", 1},
        {"e30.!.c2ln", "{\"token\":5}", "gcloud iam", 1},
        {"e30.", "{\"token\":\"\"}", "gcloud iam", 1},
        {"", "<html>", "gcloud iam", 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        forget_all();
        ANSWERS(EXCHANGE, {401, "{\"error\":\"unauthorized_client\"}", ""});
        ANSWERS(IDENTITY, {200, cases[i].identity, "Metadata-Flavor: Google\r\n"});
        ANSWERS(ID_TOKEN, {200, cases[i].id_token, ""});
        o = get_mailbox();
        assert_fails(&o, ERR_AUTH_ERROR, "token exchange: ");
        assert_contains(o.err.message, cases[i].says);
        assert_int_equal(calls(IDENTITY), 1);
        assert_int_equal(calls(ID_TOKEN), cases[i].iam_calls);
    }
}

static void test_client_id_alone(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(ID_TOKEN, {200, "{\"token\":\"" SUBJECT "\"}", ""});
    o = get_client_id();
    assert_value(&o, "1122334455");
    assert_contains(last(ID_TOKEN), "serviceAccounts/sa@project.iam.gserviceaccount.com:");
    assert_contains(last(ID_TOKEN), "Authorization: Bearer ya29.own");
    forget_all();
    ANSWERS(ID_TOKEN, {403, "{}", ""});
    o = get_client_id();
    assert_fails(&o, ERR_AUTH_ERROR, "numeric id");
}

/* The first half of the chain, without the second. */
static void test_signing_key(void **state) {
    struct outcome o;

    (void)state;
    o = get_signing_key();
    assert_value(&o, "k1");
    assert_calls(1, 1, 0);
    forget_all();
    ANSWERS(SIGN, {200, "{\"signedJwt\":\"eyJhbGciOiJS.eyJpc3Mi.c2ln\"}", ""});
    o = get_signing_key();
    assert_fails(&o, ERR_AUTH_ERROR, "keyId");
    forget_all();
    ANSWERS(SIGN, {401, "{}", ""}, endpoints[SIGN].good);
    o = get_signing_key();
    assert_value(&o, "k1");
    assert_int_equal(calls(SIGN), 2);
    assert_int_equal(calls(EXCHANGE), 0);
}

static void test_exchange_recovers(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(EXCHANGE, {400, "{\"error\":\"internal_failure\"}", ""}, {429, "", ""},
            {502, "<html>", ""}, endpoints[EXCHANGE].good);
    ANSWERS(SIGN, {0, "", ""}, {504, "", ""}, endpoints[SIGN].good);
    o = get_mailbox();
    assert_value(&o, "ya29.mailbox");
    assert_calls(1, 3, 4);
}

/* --- the log --------------------------------------------------------------------------------- */

static void test_log(void **state) {
    int memory = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    static char log[64 * 1024];
    struct outcome o;
    ssize_t n;

    (void)state;
    ANSWERS(
        EXCHANGE,
        {400, "{\"error\":\"x\",\"error_description\":\"eyJhbGciOiJS.eyJpc3Mi.c2ln is bad\"}", ""},
        endpoints[EXCHANGE].good);
    log_init(LOG_DEBUG, true);
    dup2(memory, STDERR_FILENO);
    get_mailbox();
    forget_all();
    o = get_mailbox();
    dup2(before, STDERR_FILENO);
    n = pread(memory, log, sizeof(log) - 1, 0);
    close(memory);
    close(before);
    assert_true(n > 0);
    assert_value(&o, "ya29.mailbox");
    assert_lacks(log, "ya29");
    assert_lacks(log, "eyJ");
    assert_contains(log, "\"message\":\"google exchange\",\"step\":\"signJwt\",\"mailbox\":"
                         "\"" MAILBOX "\",\"attempt\":1,\"method\":\"POST\",\"url\":\"http://");
    assert_contains(log, ":signJwt\",\"status\":200,\"ms\":");
    assert_contains(log,
                    "\"request\":{\"grant_type\":\"urn:ietf:params:oauth:grant-type:jwt-bearer\","
                    "\"assertion\":\"(masked, 26 bytes)\"}");
    assert_contains(
        log, "\"request\":{\"payload\":{\"iss\":\"sa@project.iam.gserviceaccount.com\",\"sub\":"
             "\"" MAILBOX "\",\"scope\":\"" SCOPES "\"");
    assert_contains(log, "\"answer\":{\"keyId\":\"k1\",\"signedJwt\":\"(masked, 26 bytes)\"}");
    assert_contains(log, "\"step\":\"token exchange\"");
    assert_contains(log,
                    "\"answer\":{\"access_token\":\"(masked, 12 bytes)\",\"expires_in\":3599}");
    assert_contains(log, "\"error_description\":\"(masked) is bad\"");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_chain),
        TEST(test_single_flight),
        TEST(test_sequential),
        TEST(test_keys),
        TEST(test_own),
        TEST(test_margin),
        TEST(test_new_token_inside_margin),
        TEST(test_expired),
        TEST(test_refresh_fails),
        TEST(test_failures_are_kept),
        TEST(test_transient_failures_are_kept_shorter),
        TEST(test_time_out),
        TEST(test_refused_token),
        TEST(test_own_token_refused),
        TEST(test_own_token_refused_twice),
        TEST(test_cancel),
        TEST(test_listeners_meddle),
        TEST(test_shut_down),
        TEST(test_many_mailboxes),
        TEST(test_eviction),
        TEST(test_names),
        TEST(test_bad_names),
        TEST(test_metadata_failures),
        TEST(test_metadata_recovers),
        TEST(test_malformed_answers),
        TEST(test_huge_answers),
        TEST(test_symptoms),
        TEST(test_client_id),
        TEST(test_client_id_alone),
        TEST(test_signing_key),
        TEST(test_exchange_recovers),
        TEST(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
