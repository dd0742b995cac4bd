#include "auth_mailbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "auth_adc.h"
#include "clock.h"
#include "encode.h"
#include "env.h"
#include "google_exchange.h"
#include "json_text.h"

#define ASSERTION_S  3600 /* the most that the exchange takes */
#define ID_TOKEN_MAX (16 * KIB)
/* Google's name for the endpoint, wherever it is reached. */
#define AUDIENCE "https://oauth2.googleapis.com/token"

/* The account's numeric id, which the Admin console wants, from the metadata server's ID token;
 * NULL where that is of another account.  To be freed. */
static char *read_client_id(const struct google_answer *a, const char *account) {
    const char *claims = a->body != NULL ? memchr(a->body, '.', a->len) : NULL, *end = NULL;
    json_t *tree = NULL;
    struct buf text;
    const char *id;
    char *copy = NULL;

    buf_init(&text, ID_TOKEN_MAX);
    if (a->err.code == ERR_NONE && claims != NULL)
        end = memchr(claims + 1, '.', a->len - (size_t)(claims + 1 - a->body));
    if (end != NULL &&
        encode_base64_decode(&text, claims + 1, (size_t)(end - claims - 1), NULL) == 0)
        tree = json_text_parse(text.data, text.len, 8, NULL);
    id = json_string_value(json_object_get(tree, "sub"));
    if (id != NULL && json_is_string(json_object_get(tree, "email")) &&
        strcmp(json_string_value(json_object_get(tree, "email")), account) == 0 && *id != '\0' &&
        strlen(id) < 64 && strspn(id, "0123456789") == strlen(id))
        copy = strdup(id);
    json_decref(tree);
    buf_free(&text);
    return copy;
}

static void on_identity(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    char *client_id = read_client_id(a, c->order.account);
    struct google_names names = c->rq.names;

    c->exchange = NULL;
    if (client_id != NULL) {
        names.step = "token exchange";
        names.client_id = client_id;
        google_remedy_tell(&c->failure.err, GOOGLE_PEER_EXCHANGE, &c->error, &names);
        free(client_id);
    }
    auth_leg_finish(c, &c->failure);
}

/* The remedy for a missing delegation names the client id: find it out where that is easy. */
static bool look_up_client_id(struct auth_chain *c, const struct google_answer *a) {
    struct err e;

    if (strcmp(a->error.word, "unauthorized_client") != 0 || auth_adc_load(&c->adc, &e) != 0 ||
        c->adc.kind != AUTH_ADC_METADATA)
        return false;
    c->failure = (struct auth_chain_result){.err = a->err};
    c->error = a->error;
    auth_leg_forget(c);
    return auth_leg_ask_metadata(
               c, "instance/service-accounts/default/identity?audience=paraph&format=full", true,
               on_identity, &e) == 0;
}

static void on_exchanged(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    struct google_error misspelt = {.status = 200, .word = "id_token"};

    c->exchange = NULL;
    if (a->err.code != ERR_NONE) {
        if (!look_up_client_id(c, a))
            auth_leg_fail(c, a);
    } else if (json_object_get(a->json, "access_token") == NULL &&
               json_object_get(a->json, "id_token") != NULL) {
        google_remedy_tell(&a->err, GOOGLE_PEER_EXCHANGE, &misspelt, &c->rq.names);
        auth_leg_fail(c, a);
    } else {
        /* A mailbox's user has no right on the project that pays for a person's requests. */
        free(c->quota_project);
        c->quota_project = NULL;
        auth_leg_take_token(c, a, "access_token");
    }
}

static int exchange(struct auth_chain *c, const char *assertion, struct err *e) {
    static const char grant[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    struct buf form;

    auth_leg_forget(c);
    buf_init(&form, AUTH_LEG_REQUEST_MAX);
    auth_leg_add_field(&form, "grant_type", grant);
    auth_leg_add_field(&form, "assertion", assertion);
    c->rq.told = c->told = auth_leg_format("{\"grant_type\":\"%s\"}", grant);
    return auth_leg_post(c, GOOGLE_PEER_EXCHANGE, "token exchange", strdup(env.oauth_token_url),
                         AUTH_LEG_FORM, &form, on_exchanged, e);
}

static bool is_jwt(const char *s) {
    static const char chars[] = "-_.0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return auth_leg_is_token(s) && s[strspn(s, chars)] == '\0';
}

static void on_signed(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    const char *assertion = json_string_value(json_object_get(a->json, "signedJwt"));
    struct auth_chain_result r = {.refused = a->status == 401, .value = c->bearer};
    struct err e;

    c->exchange = NULL;
    if (a->err.code != ERR_NONE) {
        r.err = a->err;
        r.transient = a->transient;
        auth_leg_finish(c, &r);
    } else if (!is_jwt(assertion)) {
        auth_leg_malformed(c, "signedJwt");
    } else if (exchange(c, assertion, &e) != 0) {
        auth_leg_fail_with(c, &e, false);
    }
}

static void add_claim(struct buf *out, const char *name, const char *value) {
    buf_addf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    json_text_add_string(out, value, strlen(value));
}

/* RFC 7523 §3, with Google's scope and sub. */
int auth_mailbox_start(struct auth_chain *c, struct err *e) {
    int64_t now = clock_now_us() / 1000000;
    struct buf claims, body;

    buf_init(&claims, AUTH_LEG_REQUEST_MAX / 4);
    buf_addc(&claims, '{');
    add_claim(&claims, "iss", c->order.account);
    add_claim(&claims, "sub", c->order.mailbox);
    add_claim(&claims, "scope", c->order.scopes);
    add_claim(&claims, "aud", AUDIENCE);
    buf_addf(&claims, ",\"iat\":%" PRId64 ",\"exp\":%" PRId64 "}", now, now + ASSERTION_S);
    buf_init(&body, AUTH_LEG_REQUEST_MAX);
    buf_adds(&body, "{\"payload\":");
    json_text_add_string(&body, claims.data, claims.len);
    buf_addc(&body, '}');
    body.failed = body.failed || claims.failed;
    c->rq.told = c->told = buf_take(&claims, NULL);
    buf_free(&claims);
    return auth_leg_post(c, GOOGLE_PEER_IAM, "signJwt",
                         auth_leg_format("%s/v1/projects/-/serviceAccounts/%s:signJwt",
                                         env.iam_credentials_url, c->order.account),
                         "application/json", &body, on_signed, e);
}
