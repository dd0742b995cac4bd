#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "auth_adc.h"
#include "google_server.h"

#define USER_MEMBERS                                                                               \
    "\"type\":\"authorized_user\",\"client_id\":\"id.apps\",\"client_secret\":\"GOCSPX-s+&\","     \
    "\"refresh_token\":\"1//re=fresh\""
#define URL_OF(name)                                                                               \
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" name                    \
    "@p.iam.gserviceaccount.com:generateAccessToken"
#define IMPERSONATION_URL URL_OF("robot")
#define USER              "{" USER_MEMBERS ",\"quota_project_id\":\"quota\"}"
#define IMPERSONATED_AS(name)                                                                      \
    "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_"                  \
    "url\":\"" URL_OF(name) "\",\"delegates\":[\"projects/-/serviceAccounts/"                      \
                            "x@y\"],\"source_credentials\":{" USER_MEMBERS "}}"
#define IMPERSONATED IMPERSONATED_AS("robot")

/* --- a laptop: a directory of its own, no Cloud Run ------------------------------------------ */

static char home[64], file[128];

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static int set_up_laptop(void **state) {
    char command[160];

    snprintf(home, sizeof(home), "/tmp/test_auth_adc.XXXXXX");
    assert_non_null(mkdtemp(home));
    snprintf(command, sizeof(command), "mkdir -p %s/.config/gcloud %s/other", home, home);
    assert_int_equal(system(command), 0);
    snprintf(file, sizeof(file), "%s/credentials.json", home);
    if (set_up(state) != 0)
        return -1;
    setenv("HOME", home, 1);
    env.cloud_run = false;
    env.gce_metadata_host = NULL;
    return 0;
}

static int tear_down_laptop(void **state) {
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", home);
    assert_int_equal(system(command), 0);
    return tear_down(state);
}

static const char *in_home(const char *path) {
    static char whole[160];

    snprintf(whole, sizeof(whole), "%s/%s", home, path);
    return whole;
}

static void use_file(const char *text) {
    write_file(file, text);
    setenv("GOOGLE_APPLICATION_CREDENTIALS", file, 1);
}

static struct auth_adc load(void) {
    struct auth_adc adc;
    struct err e = {0};

    assert_int_equal(auth_adc_load(&adc, &e), 0);
    assert_string_equal(e.message, "");
    return adc;
}

/* --- which one ------------------------------------------------------------------------------- */

static void assert_client(const char *want) {
    struct auth_adc adc = load();

    assert_int_equal(adc.kind, want != NULL ? AUTH_ADC_USER : AUTH_ADC_METADATA);
    if (want != NULL)
        assert_string_equal(adc.client_id, want);
    auth_adc_free(&adc);
}

#define NAMED(name)                                                                                \
    "{\"type\":\"authorized_user\",\"client_id\":\"" name                                          \
    "\",\"client_secret\":\"s\",\"refresh_token\":\"r\"}"

static void test_order(void **state) {
    static const char well_known[] = "application_default_credentials.json";
    char path[200];

    (void)state;
    assert_client(NULL);
    snprintf(path, sizeof(path), "%s/.config/gcloud/%s", home, well_known);
    write_file(path, NAMED("home"));
    assert_client("home");
    setenv("CLOUDSDK_CONFIG", in_home("other"), 1);
    assert_client(NULL);
    snprintf(path, sizeof(path), "%s/other/%s", home, well_known);
    write_file(path, NAMED("config"));
    assert_client("config");
    env.cloud_run = true;
    assert_client(NULL);
    env.cloud_run = false;
    env.gce_metadata_host = "metadata";
    assert_client(NULL);
    use_file(NAMED("named"));
    assert_client("named");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", "", 1);
    assert_client(NULL);
    env.gce_metadata_host = NULL;
    unsetenv("CLOUDSDK_CONFIG");
    unsetenv("HOME");
    assert_client(NULL);
}

static void test_quota_project(void **state) {
    static const struct {
        const char *variable, *text, *want;
    } cases[] = {
        {NULL, USER, "quota"},      {"", USER, "quota"},      {"env", USER, "env"},
        {"env", NAMED("x"), "env"}, {NULL, NAMED("x"), NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct auth_adc adc;

        if (cases[i].variable != NULL)
            setenv("GOOGLE_CLOUD_QUOTA_PROJECT", cases[i].variable, 1);
        else
            unsetenv("GOOGLE_CLOUD_QUOTA_PROJECT");
        use_file(cases[i].text);
        adc = load();
        if (cases[i].want != NULL)
            assert_string_equal(adc.quota_project, cases[i].want);
        else
            assert_null(adc.quota_project);
        auth_adc_free(&adc);
    }
}

/* --- forms ----------------------------------------------------------------------------------- */

static void test_forms(void **state) {
    struct auth_adc adc;

    (void)state;
    use_file(USER);
    adc = load();
    assert_int_equal(adc.kind, AUTH_ADC_USER);
    assert_string_equal(adc.client_id, "id.apps");
    assert_string_equal(adc.client_secret, "GOCSPX-s+&");
    assert_string_equal(adc.refresh_token, "1//re=fresh");
    auth_adc_free(&adc);
    use_file(IMPERSONATED);
    adc = load();
    assert_int_equal(adc.kind, AUTH_ADC_IMPERSONATED);
    assert_string_equal(adc.account, "robot@p.iam.gserviceaccount.com");
    assert_string_equal(adc.delegates, "[\"projects/-/serviceAccounts/x@y\"]");
    assert_string_equal(adc.refresh_token, "1//re=fresh");
    auth_adc_free(&adc);
}

#define IMPERSONATED_BY(url, source)                                                               \
    "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\":\"" url      \
    "\",\"source_credentials\":" source "}"
#define IAM_BASE "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"

static void test_refused_files(void **state) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"\xff", "not JSON"},
        {"[]", "type is neither"},
        {"{}", "type is neither"},
        {"{\"type\":42}", "type is neither"},
        {"{\"type\":\"external_account\"}", "type is neither"},
        {"{\"type\":\"gdch_service_account\"}", "type is neither"},
        {"{\"type\":\"authorized_user\"}", "no client_id"},
        {"{\"type\":\"authorized_user\",\"client_id\":\"a\"}", "no client_secret"},
        {"{\"type\":\"authorized_user\",\"client_id\":\"a\",\"client_secret\":\"b\"}",
         "no refresh_token"},
        {"{\"type\":\"authorized_user\",\"client_id\":\"a\",\"client_secret\":\"b\","
         "\"refresh_token\":\"\"}",
         "no refresh_token"},
        {"{" USER_MEMBERS ",\"universe_domain\":\"example.goog\"}", "googleapis.com"},
        {"{" USER_MEMBERS ",\"quota_project_id\":\"a b\"}", "quota project"},
        {"{" USER_MEMBERS ",\"quota_project_id\":\"a\\r\\nX: y\"}", "quota project"},
        {"{\"type\":\"service_account\",\"client_email\":\"sa@p.iam.gserviceaccount.com\","
         "\"private_key\":\"-----BEGIN PRIVATE KEY-----\"}",
         "--impersonate-service-account=sa@p.iam.gserviceaccount.com`; and delete the key"},
        {"{\"type\":\"service_account\",\"client_email\":\"$(evil)\"}",
         "--impersonate-service-account=ADDRESS`"},
        {"{\"type\":\"impersonated_service_account\"}", "does not have the form"},
        {IMPERSONATED_BY("https://evil.test/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
                         USER),
         "does not have the form"},
        {IMPERSONATED_BY("http://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
                         "a@b:generateAccessToken",
                         USER),
         "does not have the form"},
        {IMPERSONATED_BY("https://iamcredentials.googleapis.com.evil.test/v1/projects/-/"
                         "serviceAccounts/a@b:generateAccessToken",
                         USER),
         "does not have the form"},
        {IMPERSONATED_BY(IAM_BASE "a/../b:generateAccessToken", USER), "does not have the form"},
        {IMPERSONATED_BY(IAM_BASE "a@b?x=:generateAccessToken", USER), "does not have the form"},
        {IMPERSONATED_BY(IAM_BASE ":generateAccessToken", USER), "does not have the form"},
        {IMPERSONATED_BY(IAM_BASE "a@b:generateIdToken", USER), "does not have the form"},
        {IMPERSONATED_BY(IMPERSONATION_URL, "{\"type\":\"external_account\"}"), "authorized_user"},
        {IMPERSONATED_BY(IMPERSONATION_URL, "[]"), "authorized_user"},
        {IMPERSONATED_BY(IMPERSONATION_URL, "{\"type\":\"service_account\"}"), "key file"},
        {IMPERSONATED_BY(IMPERSONATION_URL, "{\"type\":\"authorized_user\"}"), "no client_id"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct auth_adc adc;
        struct err e = {0};

        use_file(cases[i].text);
        assert_int_equal(auth_adc_load(&adc, &e), -1);
        assert_int_equal(e.code, ERR_AUTH_ERROR);
        assert_contains(e.message, "application default credentials: ");
        assert_contains(e.message, cases[i].says);
        assert_lacks(e.message, "GOCSPX");
        assert_lacks(e.message, "1//");
        assert_lacks(e.message, "PRIVATE");
    }
}

static void test_unreadable_files(void **state) {
    static char large[70 * 1024];
    struct auth_adc adc;
    struct err e = {0};

    (void)state;
    setenv("GOOGLE_APPLICATION_CREDENTIALS", in_home("missing.json"), 1);
    assert_int_equal(auth_adc_load(&adc, &e), -1);
    assert_contains(e.message, "GOOGLE_APPLICATION_CREDENTIALS names a file, but");
    assert_contains(e.message, "missing.json cannot be read: No such file");
    setenv("GOOGLE_APPLICATION_CREDENTIALS", home, 1);
    assert_int_equal(auth_adc_load(&adc, &e), -1);
    assert_contains(e.message, "cannot be read: Is a directory");
    memset(large, ' ', sizeof(large) - 1);
    use_file(large);
    assert_int_equal(auth_adc_load(&adc, &e), -1);
    assert_contains(e.message, "too large");
}

static void test_accounts(void **state) {
    static const struct {
        const char *s;
        bool is;
    } cases[] = {
        {"sa@p.iam.gserviceaccount.com", true},
        {"123-compute@developer.gserviceaccount.com", true},
        {"112233445566778899", true},
        {"", false},
        {"..", false},
        {"a/b", false},
        {"a:b", false},
        {"a?b", false},
        {"a b", false},
        {"a%2fb", false},
        {"\xc3\xa9@b", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(auth_adc_is_account(cases[i].s), cases[i].is);
}

/* --- all the way ----------------------------------------------------------------------------- */

struct outcome {
    unsigned calls;
    struct err err;
    char value[128], quota_project[64];
};

static void on_token(const struct err *e, const struct auth_token *token, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->err = *e;
    snprintf(o->value, sizeof(o->value), "%s", token != NULL ? token->bearer : "");
    snprintf(o->quota_project, sizeof(o->quota_project), "%s",
             token != NULL && token->quota_project != NULL ? token->quota_project : "");
}

static void on_value(const struct err *e, const char *value, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->err = *e;
    snprintf(o->value, sizeof(o->value), "%s", value != NULL ? value : "");
}

static struct outcome get(const char *mailbox) {
    struct outcome o = {0};

    auth_start(mailbox, "https://mail.google.com/", on_token, &o);
    loop_run();
    assert_int_equal(o.calls, 1);
    return o;
}

static void assert_own(const char *value, const char *quota_project) {
    struct outcome o = get(NULL);

    assert_string_equal(o.err.message, "");
    assert_string_equal(o.value, value);
    assert_string_equal(o.quota_project, quota_project);
}

static void assert_fails(const struct outcome *o, const char *says) {
    assert_contains(o->err.message, says);
    assert_int_equal(o->err.code, ERR_AUTH_ERROR);
    assert_lacks(o->err.message, "1//");
    assert_lacks(o->err.message, "GOCSPX");
}

static void test_person(void **state) {
    struct outcome o;

    (void)state;
    use_file(USER);
    assert_own("ya29.person", "quota");
    assert_contains(last(REFRESH), "POST /token ");
    assert_contains(last(REFRESH), "\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    assert_contains(last(REFRESH),
                    "\r\n\r\ngrant_type=refresh_token&client_id=id.apps&client_secret=GOCSPX-s%2B"
                    "%26&refresh_token=1%2F%2Fre%3Dfresh");
    assert_lacks(last(REFRESH), "authorization");
    assert_lacks(last(REFRESH), "x-goog-user-project");
    env.service_account = "sa@p.iam.gserviceaccount.com";
    o = get("ann@example.org");
    assert_string_equal(o.value, "ya29.mailbox");
    assert_string_equal(o.quota_project, "");
    assert_contains(last(SIGN), "\r\nAuthorization: Bearer ya29.person\r\n");
    assert_contains(last(SIGN), "\r\nx-goog-user-project: quota\r\n");
    assert_lacks(last(EXCHANGE), "x-goog-user-project");
    assert_int_equal(calls(REFRESH), 1);
    assert_int_equal(calls(OWN), 0);
}

static void test_person_names(void **state) {
    struct outcome o = {0};

    (void)state;
    use_file(NAMED("x"));
    auth_service_account(on_value, &o);
    loop_run();
    assert_fails(&o, "GOOGLE_SERVICE_ACCOUNT_EMAIL is not set");
    auth_project(on_value, &o);
    loop_run();
    assert_fails(&o, "set GOOGLE_CLOUD_PROJECT");
    auth_fini();
    assert_int_equal(auth_init(NULL), 0);
    use_file(USER); /* a quota project is no project for data */
    auth_project(on_value, &o);
    loop_run();
    assert_fails(&o, "set GOOGLE_CLOUD_PROJECT");
}

static void test_impersonated(void **state) {
    struct outcome o;

    (void)state;
    setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "env-quota", 1);
    use_file(IMPERSONATED);
    assert_own("ya29.impersonated", "env-quota");
    assert_contains(last(IMPERSONATE), "POST /v1/projects/-/serviceAccounts/"
                                       "robot@p.iam.gserviceaccount.com:generateAccessToken ");
    assert_contains(last(IMPERSONATE), "\r\nAuthorization: Bearer ya29.person\r\n");
    assert_contains(last(IMPERSONATE), "\r\nx-goog-user-project: env-quota\r\n");
    assert_contains(last(IMPERSONATE),
                    "\r\n\r\n{\"delegates\":[\"projects/-/serviceAccounts/x@y\"],\"scope\":[\"https"
                    "://www.googleapis.com/auth/cloud-platform\"],\"lifetime\":\"3600s\"}");
    o = get("ann@example.org"); /* the account that is impersonated signs */
    assert_string_equal(o.value, "ya29.mailbox");
    assert_contains(last(SIGN), "/robot@p.iam.gserviceaccount.com:signJwt ");
    assert_contains(last(SIGN), "\r\nAuthorization: Bearer ya29.impersonated\r\n");
    assert_int_equal(calls(REFRESH), 1);
    assert_int_equal(calls(IMPERSONATE), 1);
}

static void test_failures(void **state) {
    static const struct {
        enum endpoint at;
        struct answer answer;
        const char *says;
    } cases[] = {
        {REFRESH,
         {400, "{\"error\":\"invalid_grant\",\"error_subtype\":\"invalid_rapt\"}", ""},
         "token refresh: the Workspace admin asks for a new sign-in"},
        {REFRESH,
         {400, "{\"error\":\"rapt_required\"}", ""},
         "token refresh: the Workspace admin asks for a new sign-in"},
        {REFRESH,
         {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Bad Request\"}", ""},
         "token refresh: the sign-in has expired or was revoked"},
        {REFRESH,
         {401, "{\"error\":\"deleted_client\"}", ""},
         "token refresh: the service account"},
        {REFRESH, {200, "{}", ""}, "token refresh: the answer has no usable access_token"},
        {REFRESH, {0, "", ""}, "token refresh: "},
        {IMPERSONATE,
         {200, "{\"accessToken\":\"x\"}", ""},
         "generateAccessToken: the answer has no usable expires_in"},
        {IMPERSONATE,
         {200, "{\"accessToken\":\"x\",\"expireTime\":\"soon\"}", ""},
         "generateAccessToken: the answer has no usable expires_in"},
        {IMPERSONATE,
         {403,
          "{\"error\":{\"code\":403,\"status\":\"PERMISSION_DENIED\",\"details\":[{\"reason\":"
          "\"IAM_PERMISSION_DENIED\"}]}}",
          ""},
         "generateAccessToken: no right to sign as robot@p.iam.gserviceaccount.com"},
    };

    (void)state;
    use_file(IMPERSONATED);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        auth_fini();
        assert_int_equal(auth_init(NULL), 0);
        line_up(cases[i].at, &cases[i].answer, 1);
        o = get(NULL);
        assert_fails(&o, cases[i].says);
        line_up(cases[i].at, NULL, 0);
    }
}

/* What is said of the person's sign-in is not said of the mailbox. */
static void test_reasons(void **state) {
    static const struct {
        enum endpoint at;
        const char *reason;
    } cases[] = {{EXCHANGE, "invalid_grant"}, {REFRESH, ""}};

    (void)state;
    use_file(IMPERSONATED);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o;

        auth_fini();
        assert_int_equal(auth_init(NULL), 0);
        ANSWERS(cases[i].at, {400, "{\"error\":\"invalid_grant\"}", ""});
        o = get("ann@example.org");
        assert_fails(&o, "invalid_grant");
        assert_string_equal(o.err.reason, cases[i].reason);
    }
}

/* A new sign-in works without a restart. */
static void test_new_file(void **state) {
    struct outcome o;

    (void)state;
    use_file("{}");
    o = get(NULL);
    assert_fails(&o, "type is neither");
    use_file(USER);
    auth_fini();
    assert_int_equal(auth_init(NULL), 0);
    assert_own("ya29.person", "quota");
}

/* Nor does one as another account; tokens that are good stay in use. */
static void test_new_account(void **state) {
    struct outcome o;

    (void)state;
    ANSWERS(IMPERSONATE,
            {200, "{\"accessToken\":\"ya29.robot\",\"expireTime\":\"2999-01-01T00:00:00Z\"}", ""},
            {200, "{\"accessToken\":\"ya29.droid\",\"expireTime\":\"2999-01-01T00:00:00Z\"}", ""});
    use_file(IMPERSONATED);
    o = get("ann@example.org");
    assert_string_equal(o.value, "ya29.mailbox");
    assert_contains(last(SIGN), "/robot@p.iam.gserviceaccount.com:signJwt ");
    assert_contains(last(SIGN), "\r\nAuthorization: Bearer ya29.robot\r\n");
    use_file(IMPERSONATED_AS("droid"));
    o = get("ann@example.org");
    assert_int_equal(calls(SIGN), 1);
    o = get("bob@example.org");
    assert_string_equal(o.value, "ya29.mailbox");
    assert_contains(last(SIGN), "/droid@p.iam.gserviceaccount.com:signJwt ");
    assert_contains(last(SIGN), "\r\nAuthorization: Bearer ya29.droid\r\n");
    o = get("joe@example.org");
    assert_int_equal(calls(IMPERSONATE), 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_laptop, tear_down_laptop)
    const struct CMUnitTest tests[] = {
        TEST(test_order),         TEST(test_quota_project),    TEST(test_forms),
        TEST(test_refused_files), TEST(test_unreadable_files), TEST(test_accounts),
        TEST(test_person),        TEST(test_person_names),     TEST(test_impersonated),
        TEST(test_failures),      TEST(test_reasons),          TEST(test_new_file),
        TEST(test_new_account),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
