#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"
#include "encode.h"
#include "env.h"
#include "google_error.h"
#include "google_remedy.h"
#include "json_text.h"

#define NOW "2026-03-10T17:00:00Z"

static int64_t now_us(void) {
    int64_t us;

    assert_int_equal(clock_parse(NOW, strlen(NOW), &us), 0);
    return us;
}

static struct google_error read_error(int status, const char *headers[][2], size_t nheaders,
                                      const char *body) {
    struct fetch_header list[4];
    struct google_error ge;
    struct err e;
    json_t *json = json_text_parse(body, strlen(body), JSON_TEXT_DEPTH_MAX, &e);

    for (size_t i = 0; i < nheaders; i++)
        list[i] = (struct fetch_header){headers[i][0], headers[i][1]};
    google_error_read(&ge, status, list, nheaders, json, now_us());
    json_decref(json);
    return ge;
}

static struct google_error read_body(int status, const char *body) {
    return read_error(status, NULL, 0, body);
}

static void assert_contains(const char *text, const char *part) {
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not contain '%s'", text, part);
}

/* --- dialects -------------------------------------------------------------------------------- */

static void test_dialects(void **state) {
    static const struct {
        const char *body, *reason, *word, *message;
    } cases[] = {
        {"{\"error\":{\"code\":404,\"message\":\"none\",\"status\":\"NOT_FOUND\",\"details\":[]}}",
         "NOT_FOUND", "NOT_FOUND", "none"},
        {"[{\"error\":{\"code\":404,\"message\":\"none\",\"status\":\"NOT_FOUND\"}}]", "NOT_FOUND",
         "NOT_FOUND", "none"},
        {"[{\"document\":{}},{\"error\":{\"message\":\"late\",\"status\":\"ABORTED\"}}]", "ABORTED",
         "ABORTED", "late"},
        {"{\"error\":{\"errors\":[{\"domain\":\"global\",\"reason\":\"notFound\",\"message\":"
         "\"gone\"},{\"reason\":\"other\"}],\"code\":404}}",
         "notFound", "", "gone"},
        {"{\"error\":{\"message\":\"m\",\"status\":\"PERMISSION_DENIED\",\"errors\":[{\"reason\":"
         "\"forbidden\"}],\"details\":[{\"reason\":\"SERVICE_DISABLED\"}]}}",
         "forbidden", "PERMISSION_DENIED", "m"},
        {"{\"error\":{\"status\":\"PERMISSION_DENIED\",\"details\":[{\"@type\":\"x\"},{\"reason\":"
         "\"SERVICE_DISABLED\"},{\"reason\":\"second\"}]}}",
         "SERVICE_DISABLED", "PERMISSION_DENIED", ""},
        {"{\"error\":\"invalid_grant\",\"error_description\":\"Bad Request\",\"error_subtype\":"
         "\"invalid_rapt\"}",
         "invalid_grant", "invalid_grant", "Bad Request"},
        /* none of them, and parts of the wrong type */
        {"", "", "", ""},
        {"<html>502</html>", "", "", ""},
        {"null", "", "", ""},
        {"[]", "", "", ""},
        {"[[]]", "", "", ""},
        {"42", "", "", ""},
        {"\"error\"", "", "", ""},
        {"{\"error\":null}", "", "", ""},
        {"{\"error\":[]}", "", "", ""},
        {"{\"error\":\"\"}", "", "", ""},
        {"{\"error\":{\"message\":{},\"status\":[],\"errors\":{},\"details\":\"x\"}}", "", "", ""},
        {"{\"error\":{\"errors\":[42],\"details\":[null,1,[],{\"reason\":7,\"metadata\":\"x\","
         "\"retryDelay\":9}]}}",
         "", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct google_error ge = read_body(400, cases[i].body);

        assert_int_equal(ge.status, 400);
        assert_string_equal(google_error_reason(&ge), cases[i].reason);
        assert_string_equal(ge.word, cases[i].word);
        assert_string_equal(ge.message, cases[i].message);
        assert_int_equal(ge.retry_after, 0);
    }
}

static void test_streams(void **state) {
    static const struct {
        const char *body;
        int status; /* 0: no error */
    } cases[] = {
        {"[]", 0},
        {"[{\"readTime\":\"x\"}]", 0},
        {"{\"error\":{\"code\":404}}", 0},
        {"[{\"error\":\"text\"}]", 0},
        {"[{\"error\":{\"code\":404}}]", 404},
        {"[{},{\"error\":{\"code\":503}},{}]", 503},
        {"[{\"error\":{\"code\":200}}]", 500},
        {"[{\"error\":{}}]", 500},
        {"[{\"error\":{\"code\":99999999999}}]", 500},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *json = json_loads(cases[i].body, 0, NULL);
        int status = 0;

        assert_non_null(json);
        assert_int_equal(google_error_in_stream(json, &status) != NULL, cases[i].status != 0);
        assert_int_equal(status, cases[i].status);
        json_decref(json);
    }
}

/* --- when to come again ---------------------------------------------------------------------- */

static void test_retry_after(void **state) {
#define SAYS(text)    "{\"error\":{\"message\":\"" text "\"}}"
#define DELAY(length) "{\"error\":{\"details\":[{\"retryDelay\":\"" length "\"}]}}"
    static const struct {
        const char *header, *body;
        int want;
    } cases[] = {
        {"17", "", 17},
        {"0", "", 1},
        {"999999999", "", 86400},
        {"99999999999999999999999999", "", 86400},
        {"-5", "", 0},
        {"soon", "", 0},
        {"", "", 0},
        {"Tue, 10 Mar 2026 17:00:30 GMT", "", 30},
        {"Tuesday, 10-Mar-26 17:00:30 GMT", "", 30},
        {"Tue Mar 10 17:00:30 2026", "", 30},
        {"Tue, 10 Mar 2026 16:00:00 GMT", "", 0}, /* gone by */
        {"Tue, 10 Mar 2026 17:00:00 GMT", "", 0},
        {"Tue, 10 Mar 2027 17:00:00 GMT", "", 86400},
        {"Tue, 10 Mar 2026 17:00:30 GMT and more", "", 0},
        {NULL, DELAY("3.5s"), 4},
        {NULL, DELAY("3s"), 3},
        {NULL, DELAY("0s"), 1},
        {NULL, DELAY("0.000000001s"), 1},
        {NULL, DELAY("1e9s"), 0},
        {NULL, DELAY("-3s"), 0},
        {NULL, DELAY("infs"), 0},
        {NULL, DELAY("3"), 0},
        {"90", DELAY("3.5s"), 4}, /* RetryInfo before the header */
        {NULL, SAYS("User-rate limit exceeded.  Retry after 2026-03-10T17:15:45.544Z"), 946},
        {NULL,
         SAYS("User-rate limit exceeded.  Retry after 2026-03-10T17:15:45.544Z (Mail sending)"),
         946},
        {NULL, SAYS("retry after 2026-03-10T17:15:45Z."), 945},
        {NULL, SAYS("Retry after 2026-03-10T16:59:59.000Z"), 0}, /* gone by */
        {NULL, SAYS("Retry after 2026-03-10T17:00:00.001Z"), 1},
        {NULL, SAYS("Retry after 2999-03-10T16:59:59.000Z"), 86400},
        {NULL, SAYS("Retry after lunch"), 0},
        {NULL, SAYS("Retry after "), 0},
        {"5", SAYS("Retry after 2026-03-10T17:15:45.544Z"), 5}, /* the header before the text */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *headers[][2] = {{"content-type", "x"}, {"retry-after", cases[i].header}};
        struct google_error ge =
            read_error(429, headers, cases[i].header != NULL ? 2 : 1, cases[i].body);

        if (ge.retry_after != cases[i].want)
            fail_msg("case %zu: %d instead of %d", i, ge.retry_after, cases[i].want);
    }
}

/* --- foreign text ---------------------------------------------------------------------------- */

static void test_clean(void **state) {
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain \xc3\xa9 \xe2\x82\xac", "plain \xc3\xa9 \xe2\x82\xac"},
        {"a\r\nb\tc\x7f", "a  b c "},
        {"a\xe2\x80\xa8"
         "b",
         "a b"},
        {"bad \xff\xc3", "bad   "},
        {"token ya29.a0AfH_-x.y~z/+= end", "token (masked) end"},
        {"'eyJhbGciOiJS.eyJpc3Mi.c2ln'", "'(masked)'"},
        {"refresh=1//0abc", "refresh=(masked)"},
        {"GOCSPX-abc", "(masked)"},
        {"abceyJ and x1// stay", "abceyJ and x1// stay"},
        {"ya29", "ya29"},
        {"https://console.firebase.google.com/indexes?create_composite=ClVwcm9qZWN0cy9", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf b;

        buf_init(&b, 1024);
        google_error_add_clean(&b, cases[i].in, strlen(cases[i].in));
        assert_string_equal(b.data, cases[i].out != NULL ? cases[i].out : cases[i].in);
        buf_free(&b);
    }
}

static void test_long_text(void **state) {
    char body[4096] = "{\"error\":{\"message\":\"";
    struct google_error ge;

    (void)state;
    for (size_t n = strlen(body); n < 3000; n += 2)
        strcpy(body + n, "\xc3\xa9");
    strcat(body, "\"}}");
    ge = read_body(400, body);
    assert_in_range(strlen(ge.message), 400, sizeof(ge.message) - 1);
    assert_int_equal(encode_utf8_error(ge.message, strlen(ge.message)), strlen(ge.message));
}

static void test_scope_challenge(void **state) {
    static const struct {
        const char *challenge, *info, *scopes;
    } cases[] = {
        {"Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\", "
         "scope=\"https://mail.google.com/ https://www.googleapis.com/auth/gmail.modify\"",
         "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
         "https://mail.google.com/ https://www.googleapis.com/auth/gmail.modify"},
        {"Bearer error=insufficient_scope", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", ""},
        {"Bearer error=\"insufficient_scope\", scope=\"unfinished",
         "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "unfinished"},
        {"Bearer error=\"invalid_token\", scope=\"x\"", "", ""},
        {"", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *headers[][2] = {{"www-authenticate", cases[i].challenge}};
        struct google_error ge = read_error(403, headers, 1, "");

        assert_string_equal(ge.info, cases[i].info);
        assert_string_equal(ge.scopes, cases[i].scopes);
    }
}

/* --- remedies -------------------------------------------------------------------------------- */

static const struct google_names names = {.step = "the step",
                                          .account = "sa@p.iam.gserviceaccount.com",
                                          .mailbox = "ann@example.org",
                                          .scopes = "https://mail.google.com/ https://other.test/",
                                          .quota_project = "payer"};

static struct err tell(enum google_peer peer, int status, const char *body) {
    struct google_error ge = read_body(status, body);
    struct err e;

    google_remedy_tell(&e, peer, &ge, &names);
    assert_contains(e.message, "the step: ");
    assert_null(strchr(e.message, '{'));
    assert_true(strlen(e.message) <= 500);
    assert_int_equal(encode_utf8_error(e.message, strlen(e.message)), strlen(e.message));
    return e;
}

#define METADATA  GOOGLE_PEER_METADATA
#define REFRESH   GOOGLE_PEER_REFRESH
#define IAM       GOOGLE_PEER_IAM
#define EXCHANGE  GOOGLE_PEER_EXCHANGE
#define GMAIL     GOOGLE_PEER_GMAIL
#define FIRESTORE GOOGLE_PEER_FIRESTORE

#define OAUTH(word, text) "{\"error\":\"" word "\",\"error_description\":\"" text "\"}"
#define RPC(word, text)   "{\"error\":{\"status\":\"" word "\",\"message\":\"" text "\"}}"
#define INFO(reason, text)                                                                         \
    "{\"error\":{\"status\":\"PERMISSION_DENIED\",\"message\":\"" text                             \
    "\",\"details\":[{\"reason\":\"" reason "\",\"metadata\":{\"consumer\":\"projects/4711\"}}]}}"
#define OLD(reason, text)                                                                          \
    "{\"error\":{\"message\":\"" text "\",\"errors\":[{\"reason\":\"" reason "\"}]}}"
#define SCOPES "https://mail.google.com/, https://other.test/"

static void test_remedies(void **state) {
    static const struct {
        enum google_peer peer;
        int status;
        const char *body;
        const char *says[3];
    } cases[] = {
        {METADATA, 403, "", {"does not give out a token", "cloud-platform"}},
        {METADATA, 404, "", {"no service account is attached", "--service-account"}},
        {METADATA, 503, "", {"try again"}},

        {REFRESH,
         400,
         "{\"error\":\"invalid_grant\",\"error_subtype\":\"invalid_rapt\"}",
         {"new sign-in", "gcloud auth application-default login"}},
        {REFRESH, 400, OAUTH("rapt_required", ""), {"gcloud auth application-default login"}},
        {REFRESH,
         400,
         OAUTH("invalid_grant", "Token has been expired or revoked."),
         {"expired or was revoked", "gcloud auth application-default login"}},
        {REFRESH, 401, OAUTH("unauthorized_client", ""), {"gcloud auth application-default login"}},
        {REFRESH, 400, OAUTH("invalid_scope", ""), {"without --scopes"}},
        {REFRESH, 401, OAUTH("invalid_client", "The OAuth client was not found."), {"30 days"}},

        {IAM,
         403,
         INFO("IAM_PERMISSION_DENIED", "Permission 'iam.serviceAccounts.signJwt' denied"),
         {"sa@p.iam.gserviceaccount.com", "roles/iam.serviceAccountTokenCreator", "a minute"}},
        {IAM,
         403,
         RPC("PERMISSION_DENIED", "The caller does not have permission"),
         {"sa@p.iam.gserviceaccount.com", "roles/iam.serviceAccountTokenCreator"}},
        {IAM,
         403,
         INFO("SERVICE_DISABLED", "IAM Service Account Credentials API has not been used"),
         {"gcloud services enable iamcredentials.googleapis.com --project=4711"}},
        {IAM,
         403,
         RPC("PERMISSION_DENIED", "X API has not been used in project 12 before or it is "
                                  "disabled."),
         {"gcloud services enable iamcredentials.googleapis.com", "project 12"}},
        {IAM,
         403,
         OLD("accessNotConfigured", "Your application has authenticated using end user "
                                    "credentials from the Google Cloud SDK"),
         {"GOOGLE_CLOUD_QUOTA_PROJECT", "set-quota-project"}},
        {IAM,
         403,
         OLD("accessNotConfigured", ""),
         {"GOOGLE_CLOUD_QUOTA_PROJECT", "gcloud services enable iamcredentials.googleapis.com"}},
        {IAM,
         403,
         INFO("SERVICE_DISABLED", "The API requires a quota project, which is not set by "
                                  "default."),
         {"GOOGLE_CLOUD_QUOTA_PROJECT"}},
        {IAM,
         403,
         INFO("USER_PROJECT_DENIED", ""),
         {"quota project payer", "roles/serviceusage.serviceUsageConsumer"}},
        {IAM, 403, INFO("ACCESS_TOKEN_SCOPE_INSUFFICIENT", ""), {"auth/cloud-platform"}},
        {IAM, 401, RPC("UNAUTHENTICATED", ""), {"own token was refused"}},
        {IAM, 400, RPC("INVALID_ARGUMENT", ""), {"clock", "GOOGLE_SERVICE_ACCOUNT_EMAIL"}},
        {IAM, 404, RPC("NOT_FOUND", ""), {"no service account sa@p.iam.gserviceaccount.com"}},
        {IAM, 429, RPC("RESOURCE_EXHAUSTED", ""), {"60,000"}},
        {IAM, 500, RPC("INTERNAL", ""), {"try again"}},

        {EXCHANGE,
         401,
         OAUTH("unauthorized_client",
               "Client is unauthorized to retrieve access tokens using this method, or client not "
               "authorized for any of the scopes requested."),
         {SCOPES, "Domain-wide delegation",
          "gcloud iam service-accounts describe sa@p.iam.gserviceaccount.com"}},
        {EXCHANGE,
         401,
         OAUTH("unauthorized_client", "Unauthorized client or scope in request."),
         {SCOPES, "domain of ann@example.org", "that very domain"}},
        {EXCHANGE,
         403,
         OAUTH("access_denied", "Requested client not authorized."),
         {SCOPES, "lacks one or more of the scopes"}},
        {EXCHANGE, 403, OAUTH("access_denied", "Account restricted"), {"restricted", "admin"}},
        {EXCHANGE, 400, OAUTH("admin_policy_enforced", ""), {SCOPES, "trusted"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "Invalid email or User ID"),
         {"ann@example.org does not exist", "group or an alias", "primary address"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "Not a valid email or user ID."),
         {"ann@example.org does not exist", "primary address"}},
        {EXCHANGE, 400, OAUTH("invalid_grant", "Bad Request"), {"the mailbox ann@example.org"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_request", "Invalid impersonation \\\"sub\\\" field."),
         {"ann@example.org is no well-formed address"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_request", "Invalid impersonation prn email address."),
         {"ann@example.org is no well-formed address"}},
        {EXCHANGE, 400, OAUTH("invalid_request", "Bad Request"), {"could not be read"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "The account has been deleted"),
         {"ann@example.org was deleted", "GOOGLE_SERVICE_ACCOUNT_EMAIL"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "Invalid grant: account not found"),
         {"ann@example.org was deleted", "GOOGLE_SERVICE_ACCOUNT_EMAIL"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant",
               "Invalid JWT: Token must be a short-lived token (60 minutes) and in "
               "a reasonable timeframe. Check your iat and exp values"),
         {"clock"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "Invalid JWT Signature."),
         {"not by a key of sa@p.iam.gserviceaccount.com"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "Invalid JWT: Failed audience check."),
         {"OAUTH_TOKEN_URL"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_grant", "Invalid JWT: No valid verifier found for issuer."),
         {"sa@p.iam.gserviceaccount.com is no service account"}},
        {EXCHANGE,
         400,
         OAUTH("invalid_scope", "Invalid OAuth scope or ID token audience provided."),
         {SCOPES, "not commas"}},
        {EXCHANGE, 401, OAUTH("invalid_client", ""), {"30 days"}},
        {EXCHANGE, 401, OAUTH("deleted_client", ""), {"deleted", "30 days"}},
        {EXCHANGE, 401, OAUTH("disabled_client", ""), {"disabled"}},
        {EXCHANGE, 403, OAUTH("org_internal", ""), {"organisation of ann@example.org"}},
        {EXCHANGE, 400, OAUTH("internal_failure", ""), {"try again"}},
        {EXCHANGE, 418, OAUTH("never_seen", "Something new"), {"418 never_seen: Something new"}},

        {GMAIL,
         400,
         OLD("invalidArgument", "Invalid To header"),
         {"does not take the request: Invalid To header"}},
        {GMAIL,
         400,
         OLD("badRequest", "Recipient address required"),
         {"does not take the request: Recipient address required"}},
        {GMAIL,
         400,
         OLD("failedPrecondition", "Mail service not enabled"),
         {"has no Gmail", "admin"}},
        {GMAIL,
         400,
         OLD("failedPrecondition", "Precondition check failed."),
         {"ann@example.org cannot be used", "paraph check --live"}},
        {GMAIL, 401, OLD("authError", "Invalid Credentials"), {"refused the token of ann@"}},
        {GMAIL,
         403,
         OLD("insufficientPermissions", "Insufficient Permission"),
         {SCOPES, "GMAIL_SCOPES"}},
        {GMAIL, 403, INFO("ACCESS_TOKEN_SCOPE_INSUFFICIENT", ""), {SCOPES, "GMAIL_SCOPES"}},
        {GMAIL,
         403,
         RPC("PERMISSION_DENIED", "Metadata scope does not support 'q' parameter"),
         {"gmail.metadata"}},
        {GMAIL,
         403,
         OLD("accessNotConfigured", "Gmail API has not been used in project 12"),
         {"gcloud services enable gmail.googleapis.com", "project 12"}},
        {GMAIL,
         403,
         INFO("SERVICE_DISABLED", ""),
         {"gcloud services enable gmail.googleapis.com --project=4711"}},
        {GMAIL, 403, OLD("domainPolicy", ""), {"Workspace domain", "admin"}},
        {GMAIL,
         403,
         OLD("forbidden", "Delegation denied for bob@example.org"),
         {"primary address", "bob@example.org"}},
        {GMAIL, 404, OLD("notFound", "Requested entity was not found."), {"no such thing"}},
        {GMAIL, 413, "", {"35 MiB"}},
        {GMAIL, 500, OLD("backendError", ""), {"try again", "500 backendError"}},
        {GMAIL, 502, "<html>", {"try again", "(502)"}},

        {FIRESTORE,
         400,
         RPC("FAILED_PRECONDITION",
             "The query requires an index. You can create it here: https://console.test/x?y=eyz"),
         {"index is missing", "https://console.test/x?y=eyz"}},
        {FIRESTORE,
         400,
         RPC("FAILED_PRECONDITION", "the stored version (1) does not match the required base "
                                    "version (2)"),
         {"not in the state", "base version"}},
        {FIRESTORE,
         400,
         RPC("INVALID_ARGUMENT", "The referenced transaction has expired or is no longer valid."),
         {"begun again"}},
        {FIRESTORE, 400, RPC("INVALID_ARGUMENT", "bad value"), {"does not take the request: bad"}},
        {FIRESTORE, 401, RPC("UNAUTHENTICATED", ""), {"refused the token"}},
        {FIRESTORE,
         403,
         RPC("PERMISSION_DENIED", "Missing or insufficient permissions."),
         {"roles/datastore.user", "project the-project"}},
        {FIRESTORE,
         403,
         INFO("SERVICE_DISABLED", ""),
         {"gcloud services enable firestore.googleapis.com --project=4711"}},
        {FIRESTORE, 403, INFO("USER_PROJECT_DENIED", ""), {"serviceUsageConsumer"}},
        {FIRESTORE,
         403,
         RPC("PERMISSION_DENIED", "Cloud Firestore API has not been used in project "
                                  "12 before"),
         {"gcloud services enable firestore.googleapis.com"}},
        {FIRESTORE,
         404,
         RPC("NOT_FOUND", "The database (default) does not exist for project p"),
         {"no database (default)", "gcloud firestore databases create"}},
        {FIRESTORE,
         404,
         RPC("NOT_FOUND", "No document to update: projects/p/databases/(default)/documents/c/x"),
         {"no such document"}},
        {FIRESTORE, 409, RPC("ALREADY_EXISTS", "Document already exists: x"), {"there already"}},
        {FIRESTORE, 409, RPC("ABORTED", "Too much contention on these documents."), {"try again"}},
        {FIRESTORE, 499, RPC("CANCELLED", ""), {"cancelled"}},
        {FIRESTORE, 500, RPC("INTERNAL", ""), {"try again"}},
        {FIRESTORE, 503, RPC("UNAVAILABLE", ""), {"try again"}},
        {FIRESTORE, 504, RPC("DEADLINE_EXCEEDED", ""), {"may have done it"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = tell(cases[i].peer, cases[i].status, cases[i].body);

        for (size_t j = 0; j < COUNT_OF(cases[i].says) && cases[i].says[j] != NULL; j++)
            assert_contains(e.message, cases[i].says[j]);
        assert_int_equal(e.code, google_remedy_code(cases[i].peer));
        assert_int_equal(e.retry_after, 0);
    }
    assert_int_equal(google_remedy_code(IAM), ERR_AUTH_ERROR);
    assert_int_equal(google_remedy_code(EXCHANGE), ERR_AUTH_ERROR);
    assert_int_equal(google_remedy_code(GMAIL), ERR_GMAIL_ERROR);
    assert_int_equal(google_remedy_code(FIRESTORE), ERR_FIRESTORE_ERROR);
}

static void test_rate_limits(void **state) {
    static const struct {
        enum google_peer peer;
        int status;
        const char *body;
        int retry_after;
    } cases[] = {
        {GMAIL, 403, OLD("rateLimitExceeded", "Rate Limit Exceeded"), 60},
        {GMAIL, 403, OLD("userRateLimitExceeded", "User Rate Limit Exceeded"), 60},
        {GMAIL, 403, INFO("RATE_LIMIT_EXCEEDED", ""), 60},
        {GMAIL, 403, OLD("dailyLimitExceeded", ""), 3600},
        {GMAIL, 403,
         RPC("PERMISSION_DENIED",
             "Quota exceeded for quota metric 'Queries' and limit 'Queries per "
             "minute per user' of service 'gmail.googleapis.com'"),
         60},
        {GMAIL, 429, "", 60},
        {GMAIL, 429,
         OLD("rateLimitExceeded",
             "User-rate limit exceeded.  Retry after 2026-03-10T17:15:45.544Z (Mail sending)"),
         946},
        {FIRESTORE, 429, RPC("RESOURCE_EXHAUSTED", "Quota exceeded."), 60},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = tell(cases[i].peer, cases[i].status, cases[i].body);

        assert_int_equal(e.code, ERR_RATE_LIMITED);
        assert_int_equal(e.retry_after, cases[i].retry_after);
    }
}

static void test_needed_scopes(void **state) {
    const char *headers[][2] = {{"www-authenticate",
                                 "Bearer error=\"insufficient_scope\", scope=\"https://a.test/ "
                                 "https://b.test/\""}};
    struct google_error ge = read_error(403, headers, 1, "");
    struct err e;

    (void)state;
    google_remedy_tell(&e, GMAIL, &ge, &names);
    assert_contains(e.message, "the scopes " SCOPES " do not cover this");
    assert_contains(e.message, "needed is https://a.test/, https://b.test/:");
}

static void test_client_id(void **state) {
    struct google_names known = names;
    struct google_error ge = read_body(401, OAUTH("unauthorized_client", ""));
    struct err e;

    (void)state;
    known.client_id = "1122334455";
    google_remedy_tell(&e, EXCHANGE, &ge, &known);
    assert_contains(e.message, "client id (1122334455)");
}

/* Names that are long, or not known. */
static void test_extremes(void **state) {
    static char longest[2001];
    struct google_names none = {.step = "the step"}, many = names;
    struct err e;

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    many.scopes = many.mailbox = longest;
    for (unsigned peer = METADATA; peer <= FIRESTORE; peer <<= 1) {
        static const char *const words[] = {"unauthorized_client", "invalid_grant", "access_denied",
                                            "x"};

        for (size_t i = 0; i < COUNT_OF(words); i++) {
            struct google_error ge = {.status = 403};

            strcpy(ge.word, words[i]);
            google_remedy_tell(&e, (enum google_peer)peer, &ge, &none);
            assert_contains(e.message, "the step: ");
            assert_null(strstr(e.message, "(null)"));
            google_remedy_tell(&e, (enum google_peer)peer, &ge, &many);
            assert_true(strlen(e.message) <= 500);
        }
    }
}

static int set_up(void **state) {
    (void)state;
    env.firestore_database = "(default)";
    env.project = "the-project";
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialects),      cmocka_unit_test(test_streams),
        cmocka_unit_test(test_retry_after),   cmocka_unit_test(test_clean),
        cmocka_unit_test(test_long_text),     cmocka_unit_test(test_scope_challenge),
        cmocka_unit_test(test_remedies),      cmocka_unit_test(test_rate_limits),
        cmocka_unit_test(test_needed_scopes), cmocka_unit_test(test_client_id),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
