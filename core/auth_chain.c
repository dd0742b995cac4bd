#include "auth_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_adc.h"
#include "auth_client_id.h"
#include "auth_leg.h"
#include "auth_mailbox.h"
#include "encode.h"
#include "env.h"
#include "google_exchange.h"
#include "loop.h"

#define NAME_MAX_BYTES 254
#define CLOUD_PLATFORM "https://www.googleapis.com/auth/cloud-platform"

/* --- the metadata server --------------------------------------------------------------------- */

static void on_metadata_token(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;

    c->exchange = NULL;
    if (auth_leg_check_metadata(c, a))
        auth_leg_take_token(c, a, "access_token");
}

static void on_metadata_name(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    struct auth_chain_result r = {.life_ms = UINT64_MAX};
    char name[NAME_MAX_BYTES + 1];
    size_t n = a->len;
    const char *s = a->body;

    c->exchange = NULL;
    if (!auth_leg_check_metadata(c, a))
        return;
    while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
        n--;
    while (n > 0 && strchr(" \t\r\n", *s) != NULL)
        s++, n--;
    if (n == 0 || n > NAME_MAX_BYTES || encode_control_at(s, n) < n ||
        encode_utf8_error(s, n) < n || memchr(s, '/', n) != NULL) {
        auth_leg_malformed(c, "name");
        return;
    }
    snprintf(name, sizeof(name), "%.*s", (int)n, s);
    r.value = name;
    if (c->order.goal == AUTH_CHAIN_ACCOUNT && strchr(name, '@') == NULL)
        auth_leg_malformed(c, "address of a service account (set GOOGLE_SERVICE_ACCOUNT_EMAIL)");
    else
        auth_leg_finish(c, &r);
}

/* --- a person's credentials ------------------------------------------------------------------ */

static void on_impersonated(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;

    c->exchange = NULL;
    if (a->err.code != ERR_NONE)
        auth_leg_fail(c, a);
    else
        auth_leg_take_token(c, a, "accessToken");
}

static int impersonate(struct auth_chain *c, struct err *e) {
    struct buf body;

    buf_init(&body, AUTH_LEG_REQUEST_MAX);
    buf_addf(&body, "{\"delegates\":%s,\"scope\":[\"" CLOUD_PLATFORM "\"],\"lifetime\":\"3600s\"}",
             c->adc.delegates);
    return auth_leg_post(c, GOOGLE_PEER_IAM, "generateAccessToken",
                         auth_leg_format("%s/v1/projects/-/serviceAccounts/%s:generateAccessToken",
                                         env.iam_credentials_url, c->adc.account),
                         "application/json", &body, on_impersonated, e);
}

static void on_refreshed(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    const char *token = json_string_value(json_object_get(a->json, "access_token"));
    struct err e;

    c->exchange = NULL;
    if (a->err.code != ERR_NONE) {
        auth_leg_fail(c, a);
    } else if (c->adc.kind == AUTH_ADC_USER) {
        auth_leg_take_token(c, a, "access_token");
    } else if (!auth_leg_is_token(token)) {
        auth_leg_malformed(c, "access_token");
    } else {
        c->bearer = strdup(token);
        auth_leg_forget(c);
        if (impersonate(c, &e) != 0)
            auth_leg_fail_with(c, &e, false);
    }
}

static int refresh(struct auth_chain *c, struct err *e) {
    struct buf form;

    buf_init(&form, AUTH_LEG_REQUEST_MAX);
    buf_reserve(&form, AUTH_LEG_REQUEST_MAX); /* at once: it is wiped as a whole */
    auth_leg_add_field(&form, "grant_type", "refresh_token");
    auth_leg_add_field(&form, "client_id", c->adc.client_id);
    auth_leg_add_field(&form, "client_secret", c->adc.client_secret);
    auth_leg_add_field(&form, "refresh_token", c->adc.refresh_token);
    return auth_leg_post(c, GOOGLE_PEER_REFRESH, "token refresh", strdup(env.oauth_token_url),
                         AUTH_LEG_FORM, &form, on_refreshed, e);
}

/* --- goals ----------------------------------------------------------------------------------- */

static void on_known(void *arg) {
    struct auth_chain *c = arg;
    struct auth_chain_result r = {.value = c->order.goal == AUTH_CHAIN_ACCOUNT ? env.service_account
                                                                               : env.project,
                                  .life_ms = UINT64_MAX};

    loop_timer_stop(&c->timer);
    if (r.value == NULL) { /* as the file has it, until the next sign-in */
        r.value = c->adc.account;
        r.life_ms = 0;
    }
    auth_leg_finish(c, &r);
}

static int tell_known(struct auth_chain *c, struct err *e) {
    c->timer = loop_timer_start(0, on_known, c);
    return c->timer != NULL ? 0 : err_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static int start_own(struct auth_chain *c, struct err *e) {
    if (c->adc.kind == AUTH_ADC_METADATA)
        return auth_leg_ask_metadata(c, "instance/service-accounts/default/token", false,
                                     on_metadata_token, e);
    c->quota_project = c->adc.quota_project != NULL ? strdup(c->adc.quota_project) : NULL;
    return refresh(c, e);
}

static int start_account(struct auth_chain *c, struct err *e) {
    if (env.service_account != NULL || c->adc.kind == AUTH_ADC_IMPERSONATED)
        return tell_known(c, e);
    if (c->adc.kind == AUTH_ADC_METADATA)
        return auth_leg_ask_metadata(c, "instance/service-accounts/default/email", true,
                                     on_metadata_name, e);
    return err_set(e, ERR_AUTH_ERROR,
                   "signJwt: GOOGLE_SERVICE_ACCOUNT_EMAIL is not set: a person's credentials sign "
                   "nothing themselves, so it must name the service account that does, on which "
                   "you need roles/iam.serviceAccountTokenCreator");
}

/* Who pays for a person's requests need not have the database: the quota project is none. */
static int start_project(struct auth_chain *c, struct err *e) {
    if (env.project != NULL)
        return tell_known(c, e);
    if (c->adc.kind == AUTH_ADC_METADATA || auth_leg_is_google_cloud())
        return auth_leg_ask_metadata(c, "project/project-id", true, on_metadata_name, e);
    return err_set(e, ERR_AUTH_ERROR,
                   "application default credentials: they name no project: set "
                   "GOOGLE_CLOUD_PROJECT");
}

static void on_client_id(struct auth_chain *c, const char *id) {
    struct auth_chain_result r = {.value = id, .life_ms = UINT64_MAX};

    if (id == NULL)
        err_set(&r.err, ERR_AUTH_ERROR,
                "neither the metadata server nor IAM tells the numeric id of %s", c->order.account);
    auth_leg_finish(c, &r);
}

static int start_as_account(struct auth_chain *c, struct err *e) {
    const struct auth_chain_order *o = &c->order;

    if (!auth_adc_is_account(o->account))
        return err_set(e, ERR_AUTH_ERROR,
                       "signJwt: GOOGLE_SERVICE_ACCOUNT_EMAIL is not the address of a service "
                       "account");
    c->bearer = strdup(o->bearer);
    c->quota_project = o->quota_project != NULL ? strdup(o->quota_project) : NULL;
    return o->goal == AUTH_CHAIN_CLIENT_ID ? auth_client_id_start(c, on_client_id, e)
                                           : auth_mailbox_start(c, e);
}

struct auth_chain *auth_chain_start(const struct auth_chain_order *order, auth_chain_done_fn *done,
                                    void *arg, struct err *e) {
    static int (*const starts[])(struct auth_chain *, struct err *) = {
        [AUTH_CHAIN_OWN] = start_own,
        [AUTH_CHAIN_ACCOUNT] = start_account,
        [AUTH_CHAIN_PROJECT] = start_project,
        [AUTH_CHAIN_MAILBOX] = start_as_account,
        [AUTH_CHAIN_SIGNING_KEY] = start_as_account,
        [AUTH_CHAIN_CLIENT_ID] = start_as_account,
    };
    bool given = order->goal >= AUTH_CHAIN_MAILBOX ||
                 (order->goal == AUTH_CHAIN_ACCOUNT && env.service_account != NULL) ||
                 (order->goal == AUTH_CHAIN_PROJECT && env.project != NULL);
    struct auth_chain *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    c->order = *order;
    c->done = done;
    c->arg = arg;
    if ((given || auth_adc_load(&c->adc, e) == 0) && starts[order->goal](c, e) == 0)
        return c;
    auth_leg_destroy(c);
    return NULL;
}

void auth_chain_cancel(struct auth_chain **cp) {
    struct auth_chain *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    google_exchange_cancel(&c->exchange);
    loop_timer_stop(&c->timer);
    auth_leg_destroy(c);
}
