#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env.h"
#include "log.h"
#include "role.h"

/* Every variable of the contract that a test may set. */
static const char *const all[] = {"GMAIL_USER",
                                  "PIXEL_TRACKER_BASE_URL",
                                  "ENABLE_TRACKING",
                                  "SEND_MODE",
                                  "BACKEND",
                                  "NO_SEND",
                                  "AUTH",
                                  "API_KEYS",
                                  "AUTH_AUDIENCE",
                                  "AUTH_ALLOWED",
                                  "IAP_AUDIENCE",
                                  "ROLE",
                                  "HOST",
                                  "PORT",
                                  "WORKERS",
                                  "SCRIPTS_DIR",
                                  "TEMPLATES_DIR",
                                  "RELOAD_INTERVAL",
                                  "LOG_LEVEL",
                                  "LOG_FORMAT",
                                  "MAX_BODY_BYTES",
                                  "REQUEST_TIMEOUT",
                                  "K_SERVICE",
                                  "DRAFT_COLLECTION",
                                  "PIXEL_COLLECTION",
                                  "ALLOWED_SENDERS",
                                  "LOCAL_SIGNATURE",
                                  "DATA_DIR",
                                  "WEBHOOK_URL",
                                  "WEBHOOK_SECRET",
                                  "WEBHOOK_EVENTS",
                                  "WEBHOOK_ALLOW_PRIVATE",
                                  "GCE_METADATA_HOST",
                                  "GMAIL_SCOPES",
                                  "GOOGLE_CLOUD_PROJECT",
                                  "FIRESTORE_DATABASE",
                                  "GMAIL_URL",
                                  "OAUTH_TOKEN_URL"};

static struct buf faults;

/* pairs: name, value, ..., NULL */
static int load(const char *const pairs[]) {
    for (size_t i = 0; i < COUNT_OF(all); i++)
        unsetenv(all[i]);
    for (; pairs[0] != NULL; pairs += 2)
        setenv(pairs[0], pairs[1], 1);
    buf_reset(&faults);
    return env_load(&faults);
}

#define LOAD(...) load((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static int setup(void **state) {
    (void)state;
    buf_init(&faults, 64 * KIB);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    buf_free(&faults);
    return 0;
}

static void without_any_variable_it_is_local(void **state) {
    (void)state;
    assert_int_equal(LOAD(), 0);
    assert_int_equal(env.backend, ENV_LOCAL);
    assert_string_equal(env.host, "127.0.0.1");
    assert_int_equal(env.port, 8080);
    assert_string_equal(env.pixel_base_url, "http://127.0.0.1:8080");
    assert_true(env.tracking);
    assert_int_equal(env.send_mode, ENV_DRAFT);
    assert_string_equal(env.auth, "none");
    assert_int_equal(env.max_body_bytes, 33554432);
    assert_string_equal(env_sender(), "paraph@example.test");
}

static void a_free_port_becomes_part_of_the_pixel(void **state) {
    (void)state;
    assert_int_equal(LOAD("PORT", "0"), 0);
    env_bound(4711);
    assert_string_equal(env.pixel_base_url, "http://127.0.0.1:4711");
    assert_int_equal(LOAD("PORT", "0", "PIXEL_TRACKER_BASE_URL", "https://t.example.org/x/"), 0);
    env_bound(4711);
    assert_string_equal(env.pixel_base_url, "https://t.example.org/x");
}

static void every_fault_is_reported_at_once(void **state) {
    (void)state;
    assert_int_equal(LOAD("PORT", "abc", "SEND_MODE", "now", "NO_SEND", "perhaps", "SCRIPTS_DIR",
                          "/no/such/dir", "PIXEL_TRACKER_BASE_URL", "ftp://x", "GMAIL_USER",
                          "nobody"),
                     -1);
    assert_non_null(strstr(faults.data, "PORT: 'abc' is not a whole number from 0 to 65535\n"));
    assert_non_null(strstr(faults.data, "SEND_MODE: 'now' is not one of: draft, send\n"));
    assert_non_null(strstr(faults.data, "NO_SEND: 'perhaps' is neither"));
    assert_non_null(strstr(faults.data, "SCRIPTS_DIR: '/no/such/dir' cannot be opened"));
    assert_non_null(strstr(faults.data, "PIXEL_TRACKER_BASE_URL: 'ftp://x' is not an address"));
    assert_non_null(strstr(faults.data, "GMAIL_USER: 'nobody' is not an e-mail address\n"));
}

static void wrong_values(void **state) {
    static const char *const cases[][2] = {
        {"PORT", "65536"},
        {"PORT", "-1"},
        {"PORT", "80 "},
        {"WORKERS", "0"},
        {"MAX_BODY_BYTES", "1"},
        {"MAX_BODY_BYTES", "9e9"},
        {"REQUEST_TIMEOUT", "0"},
        {"ROLE", "ALL"},
        {"BACKEND", "sqlite"},
        {"LOG_LEVEL", "trace"},
        {"LOG_FORMAT", "xml"},
        {"TEMPLATES_DIR", "/etc/passwd"},
        {"DRAFT_COLLECTION", "a/b"},
        {"AUTH", "key"},
        {"HOST", "0.0.0.0"},
        {"K_SERVICE", "paraph"},
        {"PIXEL_COLLECTION", "email_drafts"},
        {"PIXEL_COLLECTION", "email_drafts_idempotency"},
        {"PIXEL_COLLECTION", "email_drafts_webhooks_2"},
        {"HOST", "127.0.0.1:8080"},
        {"HOST", "127.evil.invalid"},
        {"DRAFT_COLLECTION", "__drafts__"},
        {"DRAFT_COLLECTION", "a\nb"},
        {"DATA_DIR", "/dev/null"},
        {"DATA_DIR", "/dev/null/data"},
        {"DATA_DIR", "/proc/no/such/dir"},
        {"LOCAL_SIGNATURE", "\xFF"},
        {"GMAIL_USER", "a@@b.example"},
        {"GMAIL_USER", "Ann <ann@example.com>"},
        {"ALLOWED_SENDERS", "ann@example.com, bob"},
        {"ALLOWED_SENDERS", "@"},
        {"GCE_METADATA_HOST", "localhost:http"},
        {"GMAIL_URL", "https://gmail.example/?x"},
        {"OAUTH_TOKEN_URL", "https://x:70000/token"},
        {"PIXEL_TRACKER_BASE_URL", "https://x.example/\"><script>"},
        {"PIXEL_TRACKER_BASE_URL", "https://x.example/#top"},
        {"PIXEL_TRACKER_BASE_URL", "https:///x"},
        {"PIXEL_TRACKER_BASE_URL", "https://x.example/\x01"},
        {"PIXEL_TRACKER_BASE_URL", "https://user@x.example"},
        {"GMAIL_SCOPES", " "},
        {"GMAIL_SCOPES", "gmail.send"},
        {"GMAIL_SCOPES", "https://mail.google.com/,https://x.example"},
        {"GMAIL_SCOPES", "https://mail.google.com/ gmail.send"},
        {"GMAIL_SCOPES", "https://mail.google.com/\n"},
        {"GOOGLE_CLOUD_PROJECT", "x y"},
        {"GOOGLE_CLOUD_PROJECT", "a/b?c#d"},
        {"GOOGLE_CLOUD_PROJECT", " "},
        {"GOOGLE_CLOUD_PROJECT", ".."},
        {"GOOGLE_CLOUD_PROJECT", "projekt-\xC3\xA4"},
        {"FIRESTORE_DATABASE", "x/y"},
        {"FIRESTORE_DATABASE", "(defaults)"},
        {"FIRESTORE_DATABASE", "\xFF"},
        {"RELOAD_INTERVAL", "99999999999999999999"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (LOAD(cases[i][0], cases[i][1]) == 0)
            fail_msg("%s=%s was accepted", cases[i][0], cases[i][1]);
        assert_non_null(strstr(faults.data, ": "));
    }
}

static void right_values(void **state) {
    static const char *const cases[][2] = {
        {"HOST", "::1"},
        {"HOST", "localhost"},
        {"HOST", "127.0.0.2"},
        {"ALLOWED_SENDERS", " ann@example.com,@example.org , zo\xC3\xAB@b\xC3\xBC"
                            "cher.example"},
        {"GCE_METADATA_HOST", "metadata.internal"},
        {"GCE_METADATA_HOST", "[::1]:8080"},
        {"OAUTH_TOKEN_URL", "http://127.0.0.1:8080/token?x=y"},
        {"PIXEL_TRACKER_BASE_URL", "https://[::1]"},
        {"PIXEL_COLLECTION", "email_drafts_opens"},
        {"LOCAL_SIGNATURE", "<b>Zo\xC3\xAB</b>"},
        {"PIXEL_COLLECTION", "email_draftsman"},
        {"GMAIL_SCOPES", " https://www.googleapis.com/auth/gmail.send  "
                         "https://mail.google.com/ "},
        {"GOOGLE_CLOUD_PROJECT", "my-project-1"},
        {"GOOGLE_CLOUD_PROJECT", "example.com:my-project"},
        {"GOOGLE_CLOUD_PROJECT", "108765432109"},
        {"FIRESTORE_DATABASE", "(default)"},
        {"FIRESTORE_DATABASE", "my-database"},
        {"DATA_DIR", "/tmp/no-such-dir/"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (LOAD(cases[i][0], cases[i][1]) != 0)
            fail_msg("%s=%s: %s", cases[i][0], cases[i][1], faults.data);
}

static void a_fault_is_one_line(void **state) {
    (void)state;
    assert_int_equal(LOAD("PORT", "8\n0\x7F", "SEND_MODE", "\r"), -1);
    assert_non_null(strstr(faults.data, "PORT: '8?0?' is not"));
    assert_non_null(strstr(faults.data, "SEND_MODE: '?' is not"));
}

/* What follows from it is not told as well: a host that is not there is not "no loopback address".
 */
static void one_wrong_variable_is_one_fault(void **state) {
    static const char *const cases[][7] = {
        {"HOST", "http://127.0.0.1"},
        {"AUTH", ",", "HOST", "0.0.0.0"},
        {"API_KEYS", ",", "AUTH", "key"},
        {"AUTH_ALLOWED", "*", "AUTH", "google", "AUTH_AUDIENCE", "x"},
        {"AUTH_ALLOWED", ",", "AUTH", "google", "AUTH_AUDIENCE", "x"},
        {"WEBHOOK_SECRET", ",", "WEBHOOK_URL", "https://x.example"},
        {"WEBHOOK_ALLOW_PRIVATE", "?", "WEBHOOK_URL", "http://x.example", "ROLE", "tracker"},
        {"ROLE", "Tracker", "K_SERVICE", "x"},
        {"ROLE", "Tracker", "WEBHOOK_URL", "https://x.example"},
        {"BACKEND", "Local", "K_SERVICE", "x", "AUTH", "none"},
        {"BACKEND", "Local", "GMAIL_USER", "a@example.org", "ENABLE_TRACKING", "true"},
        {"GMAIL_USER", "nobody", "BACKEND", "google"},
        {"PIXEL_TRACKER_BASE_URL", "x", "GMAIL_USER", "a@example.org", "ENABLE_TRACKING", "true"},
        {"DRAFT_COLLECTION", "a/b", "PIXEL_COLLECTION", "email_drafts"},
        {"PIXEL_COLLECTION", "a/b", "DRAFT_COLLECTION", "email_opens"},
        {"PIXEL_COLLECTION", "\xFF", "DRAFT_COLLECTION", "email_opens"},
        {"PIXEL_COLLECTION", "drafts", "DRAFT_COLLECTION", "drafts"},
        {"PIXEL_COLLECTION", "drafts_counts", "DRAFT_COLLECTION", "drafts"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i][0]);

        assert_int_equal(load(cases[i]), -1);
        if (strncmp(faults.data, cases[i][0], n) != 0 || faults.data[n] != ':' ||
            strchr(faults.data, '\n') != faults.data + faults.len - 1)
            fail_msg("%s=%s: %s", cases[i][0], cases[i][1], faults.data);
    }
}

static void no_password_is_told(void **state) {
    (void)state;
    assert_int_equal(LOAD("PIXEL_TRACKER_BASE_URL", "ftp://user:secret@x.example/"), -1);
    assert_non_null(strstr(faults.data, "PIXEL_TRACKER_BASE_URL: "));
    assert_null(strstr(faults.data, "secret"));
    assert_int_equal(LOAD("OAUTH_TOKEN_URL", "https://x.example/@here?a@b"), 0);
}

static void tracking_needs_a_base_url(void **state) {
    (void)state;
    assert_int_equal(LOAD("BACKEND", "google", "GMAIL_USER", "a@example.org"), 0);
    assert_false(env.tracking);
    assert_null(env.pixel_base_url);
    assert_int_equal(
        LOAD("BACKEND", "google", "GMAIL_USER", "a@example.org", "ENABLE_TRACKING", "yes"), -1);
    assert_non_null(strstr(faults.data, "ENABLE_TRACKING"));
}

static void the_backend_follows_the_place(void **state) {
    (void)state;
    assert_int_equal(LOAD("GMAIL_USER", "a@example.org"), 0);
    assert_int_equal(env.backend, ENV_GOOGLE);
    assert_int_equal(LOAD("K_SERVICE", "x", "AUTH", "none", "GMAIL_USER", "a@example.org"), 0);
    assert_string_equal(env.host, "0.0.0.0");
    assert_int_equal(LOAD("BACKEND", "google"), -1);
    assert_non_null(strstr(faults.data, "GMAIL_USER: is missing"));
    assert_int_equal(LOAD("BACKEND", "google", "GMAIL_USER", ""), -1);
    assert_non_null(strstr(faults.data, "GMAIL_USER: is missing"));
    assert_int_equal(LOAD("BACKEND", "google", "ROLE", "tracker"), 0);
}

#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What is wrong is named, and what may be a key that was put in the wrong place is not told. */
static void auth_that_is_wrong(void **state) {
    static const struct {
        const char *auth, *name, *value, *told;
    } cases[] = {
        {"keys", "API_KEYS", "", "AUTH: 'keys' is not one of: key, google, iap, iam, none"},
        {"key,key", "API_KEYS", "a=draft:" HASH, "AUTH: names key twice"},
        {"key", "API_KEYS", "", "API_KEYS: is not set"},
        {"key", "API_KEYS", "secret", "entry 1 is not name=role+role:sha256-hex"},
        {"key", "API_KEYS", "a=draft", "entry 1 is not name=role"},
        {"key", "API_KEYS", "a:draft=" HASH, "entry 1 is not name=role"},
        {"key", "API_KEYS", "=draft:" HASH, "entry 1: the name is not"},
        {"key", "API_KEYS", "a@b=draft:" HASH, "entry 1: the name is not"},
        {"key", "API_KEYS", "anonymous=draft:" HASH, "entry 1: the name is not"},
        {"key", "API_KEYS", "a=:" HASH, "('a'): '' is not one or more of draft"},
        {"key", "API_KEYS", "a=draft+:" HASH, "'draft+' is not one or more"},
        {"key", "API_KEYS", "a=Draft:" HASH, "'Draft' is not one or more"},
        {"key", "API_KEYS", "a=draft:" HASH ", b=draft:secret", "entry 2 ('b'): what is behind"},
        {"key", "API_KEYS", "a=draft:" HASH "0", "is not the SHA-256"},
        {"google", "AUTH_ALLOWED", "a@example.com", "AUTH_AUDIENCE: is not set"},
        {"google", "AUTH_AUDIENCE", "x", "AUTH_ALLOWED: is not set"},
        {"google", "AUTH_ALLOWED", "everybody", "AUTH_ALLOWED: 'everybody' is neither"},
        {"iap", "AUTH_AUDIENCE", "x", "IAP_AUDIENCE: is not set"},
        {",", "API_KEYS", "", "AUTH: ',' has no item"},
        {"key", "API_KEYS", ", ,", "API_KEYS: ', ,' has no item"},
        {"google", "AUTH_AUDIENCE", " ", "AUTH_AUDIENCE: ' ' has no item"},
        {"google", "AUTH_ALLOWED", ",", "AUTH_ALLOWED: ',' has no item"},
        {"iap", "IAP_AUDIENCE", ",", "IAP_AUDIENCE: ',' has no item"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (LOAD("AUTH", cases[i].auth, cases[i].name, cases[i].value) == 0 ||
            strstr(faults.data, cases[i].told) == NULL)
            fail_msg("case %zu: %s", i, faults.data);
        assert_null(strstr(faults.data, "secret"));
    }
    assert_int_equal(LOAD("AUTH", "google", "AUTH_AUDIENCE", "x", "AUTH_ALLOWED", "everybody"), -1);
    assert_null(strstr(faults.data, "AUTH_ALLOWED: is not set"));
}

static void auth_that_is_right(void **state) {
    (void)state;
    assert_int_equal(
        LOAD("AUTH", " key , none", "API_KEYS", "a=draft+send:" HASH ",\n b-1.x_=ops:" HASH " "),
        0);
    assert_int_equal(env.nauths, 2);
    assert_int_equal(env.auths[0], ENV_KEY);
    assert_int_equal(env.auths[1], ENV_NONE);
    assert_int_equal(env.nkeys, 2);
    assert_string_equal(env.keys[0].name, "a");
    assert_int_equal(env.keys[0].roles, ROLE_DRAFT | ROLE_SEND);
    assert_string_equal(env.keys[0].sha256, HASH);
    assert_string_equal(env.keys[1].name, "b-1.x_");
    assert_int_equal(env.keys[1].roles, ROLE_OPS);
    /* What a method does not use may be anything. */
    assert_int_equal(LOAD("AUTH", "none", "API_KEYS", "x", "AUTH_AUDIENCE", ","), 0);
}

/* Nobody gets in by mistake. */
static void without_auth_only_this_machine_gets_in(void **state) {
    (void)state;
    assert_int_equal(LOAD(), 0);
    assert_true(env.loopback && env_uses_auth(ENV_NONE));
    assert_int_equal(LOAD("HOST", "0.0.0.0"), -1);
    assert_non_null(strstr(faults.data, "AUTH: is not set, and HOST is not a loopback address"));
    assert_int_equal(LOAD("K_SERVICE", "x", "BACKEND", "local", "HOST", "127.0.0.1"), -1);
    assert_non_null(strstr(faults.data, "AUTH: is not set, and this is Cloud Run"));
    assert_int_equal(LOAD("K_SERVICE", "x", "ROLE", "tracker"), 0);
    assert_int_equal(env.nauths, 0);
    assert_false(env.loopback);
}

static void lists_of_addresses(void **state) {
    static const char list[] = "ann@example.com, @example.org";

    (void)state;
    assert_true(env_lists_address(list, "Ann@Example.com"));
    assert_true(env_lists_address(list, "anybody@EXAMPLE.ORG"));
    assert_false(env_lists_address(list, "bob@example.com"));
    assert_false(env_lists_address(list, "a@x.example.org"));
    assert_false(env_lists_address(list, "a@xexample.org"));
    assert_false(env_lists_address(list, "example.org"));
    assert_false(env_lists_address("", "ann@example.com"));
    assert_true(env_lists("a, b", "b"));
    assert_false(env_lists("a, b", "a, b"));
    assert_false(env_lists("a, b", "B"));
}

/* 24, 23, 64 and 65 bytes. */
#define SECRET    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
#define TOO_SHORT "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY="
#define LONGEST                                                                                    \
    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg" \
    "=="
#define TOO_LONG                                                                                   \
    "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZj" \
    "A="

static void webhooks_that_are_right(void **state) {
    (void)state;
    assert_int_equal(LOAD(), 0);
    assert_int_equal(env.nwebhooks, 0);
    assert_false(env_webhook_wants(0));
    assert_int_equal(LOAD("WEBHOOK_URL", "https://a.example/x?y=%2C/, https://b.example:8443",
                          "WEBHOOK_SECRET", SECRET "," LONGEST),
                     0);
    assert_int_equal(env.nwebhooks, 2);
    assert_string_equal(env.webhooks[0], "https://a.example/x?y=%2C/");
    assert_string_equal(env.webhooks[1], "https://b.example:8443");
    assert_int_equal(env.nwebhook_secrets, 2);
    assert_int_equal(env.webhook_secrets[0].n, 24);
    assert_memory_equal(env.webhook_secrets[0].key, "0123456789abcdef01234567", 24);
    assert_int_equal(env.webhook_secrets[1].n, 64);
    assert_false(env.webhook_allow_private);
    for (size_t i = 0; env_webhook_event(i) != NULL; i++)
        assert_true(env_webhook_wants(i));
    assert_int_equal(LOAD("WEBHOOK_URL", "http://127.0.0.1:9", "WEBHOOK_SECRET", SECRET,
                          "WEBHOOK_ALLOW_PRIVATE", "yes", "WEBHOOK_EVENTS", "opened, sent"),
                     0);
    for (size_t i = 0; env_webhook_event(i) != NULL; i++)
        assert_int_equal(env_webhook_wants(i), strcmp(env_webhook_event(i), "sent") == 0 ||
                                                   strcmp(env_webhook_event(i), "opened") == 0);
}

/* What was given is in no sentence: all of it may be secret. */
static void webhooks_that_are_wrong(void **state) {
    static const struct {
        const char *url, *secret, *events, *sentence;
    } cases[] = {
        {"https://x.example/k3y", NULL, NULL, "WEBHOOK_SECRET: is not set, and WEBHOOK_URL is"},
        {"http://x.example/k3y", SECRET, NULL, "WEBHOOK_URL: address 1 is not https"},
        {"https://ok.example,k3y", SECRET, NULL, "WEBHOOK_URL: address 2 is not one such as"},
        {"ftp://x.example/k3y", SECRET, NULL, "WEBHOOK_URL: address 1 is not one such as"},
        {"https://u:k3y@x.example", SECRET, NULL, "WEBHOOK_URL: address 1 holds a user"},
        {"https://a.b https://a.b https://a.b https://a.b https://a.b/k3y", SECRET, NULL,
         "WEBHOOK_URL: holds more than 4 addresses"},
        {"https://x.example", "k3y", NULL, "WEBHOOK_SECRET: secret 1 is not whsec_"},
        {"https://x.example", SECRET ",whsec_k3y", NULL, "WEBHOOK_SECRET: secret 2 is not whsec_"},
        {"https://x.example", TOO_SHORT, NULL, "and 24 to 64 bytes in base64"},
        {"https://x.example", TOO_LONG, NULL, "and 24 to 64 bytes in base64"},
        {NULL, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", NULL, "WEBHOOK_SECRET: secret 1 is not whsec_"},
        {",", SECRET, NULL, "WEBHOOK_URL: ',' has no item"},
        {"https://x.example", ",", NULL, "WEBHOOK_SECRET: ',' has no item"},
        {"https://x.example", SECRET, " ", "WEBHOOK_EVENTS: ' ' has no item"},
        {"https://x.example", SECRET, "sent,gone", "WEBHOOK_EVENTS: 'gone' is not one of: draft."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *url = cases[i].url != NULL ? cases[i].url : "";
        const char *secret = cases[i].secret != NULL ? cases[i].secret : "";
        const char *events = cases[i].events != NULL ? cases[i].events : "";

        if (LOAD("WEBHOOK_URL", url, "WEBHOOK_SECRET", secret, "WEBHOOK_EVENTS", events) == 0)
            fail_msg("%s %s %s is accepted", url, secret, events);
        if (strstr(faults.data, cases[i].sentence) == NULL)
            fail_msg("'%s' is not in: %s", cases[i].sentence, faults.data);
        assert_null(strstr(faults.data, "k3y"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_variable_it_is_local),
        cmocka_unit_test(a_free_port_becomes_part_of_the_pixel),
        cmocka_unit_test(every_fault_is_reported_at_once),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(right_values),
        cmocka_unit_test(a_fault_is_one_line),
        cmocka_unit_test(one_wrong_variable_is_one_fault),
        cmocka_unit_test(no_password_is_told),
        cmocka_unit_test(tracking_needs_a_base_url),
        cmocka_unit_test(the_backend_follows_the_place),
        cmocka_unit_test(auth_that_is_wrong),
        cmocka_unit_test(auth_that_is_right),
        cmocka_unit_test(without_auth_only_this_machine_gets_in),
        cmocka_unit_test(lists_of_addresses),
        cmocka_unit_test(webhooks_that_are_right),
        cmocka_unit_test(webhooks_that_are_wrong),
    };

    return cmocka_run_group_tests_name("env", tests, setup, teardown);
}
