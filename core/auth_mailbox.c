#include "auth_mailbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "auth_client_id.h"
#include "clock.h"
#include "env.h"
#include "google_exchange.h"
#include "json_text.h"

#define ASSERTION_S 3600 /* the most that the exchange takes */
/* Google's name for the endpoint, wherever it is reached. */
#define AUDIENCE "https://oauth2.googleapis.com/token"

static void on_client_id(struct auth_chain *c, const char *id) {
    struct google_names names = c->rq.names;

    names.step = "token exchange";
    names.client_id = id;
    if (id != NULL)
        google_remedy_tell(&c->failure.err, GOOGLE_PEER_EXCHANGE, &c->error, &names);
    auth_leg_finish(c, &c->failure);
}

/* The remedy for a missing delegation names the client id. */
static bool look_up_client_id(struct auth_chain *c, const struct google_answer *a) {
    struct err e;

    if (strcmp(a->error.word, "unauthorized_client") != 0)
        return false;
    c->failure = (struct auth_chain_result){.err = a->err};
    c->error = a->error;
    return auth_client_id_start(c, on_client_id, &e) == 0;
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
    buf_reserve(&form, AUTH_LEG_REQUEST_MAX); /* at once: it is wiped as a whole */
    auth_leg_add_field(&form, "grant_type", grant);
    auth_leg_add_field(&form, "assertion", assertion);
    return auth_leg_post(c, GOOGLE_PEER_EXCHANGE, "token exchange", strdup(env.oauth_token_url),
                         AUTH_LEG_FORM, &form, on_exchanged, e);
}

static bool is_jwt(const char *s) {
    static const char chars[] = "-_.0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return auth_leg_is_token(s) && s[strspn(s, chars)] == '\0';
}

static void finish_with_key(struct auth_chain *c, const struct google_answer *a) {
    struct auth_chain_result r = {.value = json_string_value(json_object_get(a->json, "keyId")),
                                  .life_ms = UINT64_MAX};

    if (auth_leg_is_token(r.value))
        auth_leg_finish(c, &r);
    else
        auth_leg_malformed(c, "keyId");
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
    } else if (c->order.goal == AUTH_CHAIN_SIGNING_KEY) {
        finish_with_key(c, a);
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
    buf_free(&claims);
    return auth_leg_post(c, GOOGLE_PEER_IAM, "signJwt",
                         auth_leg_format("%s/v1/projects/-/serviceAccounts/%s:signJwt",
                                         env.iam_credentials_url, c->order.account),
                         "application/json", &body, on_signed, e);
}
