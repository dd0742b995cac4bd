#include "auth_client_id.h"

#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "jwt.h"

#define ID_MAX 63

/* The subject of an ID token of that account; NULL where it is another's, or none.  To be freed. */
static char *read_subject(const char *token, size_t len, const char *account) {
    const char *email, *id;
    char *copy = NULL;
    struct jwt t;

    if (token == NULL)
        return NULL;
    if (jwt_parse(&t, token, len, NULL) == 0) {
        email = json_string_value(json_object_get(t.claims, "email"));
        id = json_string_value(json_object_get(t.claims, "sub"));
        if (email != NULL && strcmp(email, account) == 0 && id != NULL && *id != '\0' &&
            strlen(id) <= ID_MAX && strspn(id, "0123456789") == strlen(id))
            copy = strdup(id);
    }
    jwt_free(&t);
    return copy;
}

static void tell(struct auth_chain *c, char *id) {
    c->known(c, id);
    free(id);
}

static void on_iam_token(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    const json_t *token = json_object_get(a->json, "token");
    char *id = NULL;

    c->exchange = NULL;
    if (a->err.code == ERR_NONE && json_is_string(token))
        id = read_subject(json_string_value(token), json_string_length(token), c->order.account);
    tell(c, id);
}

/* Whoever may sign as the account may do this, too: one role has both. */
static int ask_iam(struct auth_chain *c, struct err *e) {
    struct buf body;

    auth_leg_forget(c);
    buf_init(&body, AUTH_LEG_REQUEST_MAX);
    buf_adds(&body, "{\"audience\":\"paraph\",\"includeEmail\":true}");
    return auth_leg_post(c, GOOGLE_PEER_IAM, "generateIdToken",
                         auth_leg_format("%s/v1/projects/-/serviceAccounts/%s:generateIdToken",
                                         env.iam_credentials_url, c->order.account),
                         "application/json", &body, on_iam_token, e);
}

static void on_metadata_token(struct google_answer *a, void *arg) {
    struct auth_chain *c = arg;
    char *id = NULL;
    struct err e;

    c->exchange = NULL;
    if (a->err.code == ERR_NONE)
        id = read_subject(a->body, a->len, c->order.account);
    if (id != NULL || ask_iam(c, &e) != 0)
        tell(c, id);
}

int auth_client_id_start(struct auth_chain *c, void (*known)(struct auth_chain *c, const char *id),
                         struct err *e) {
    static const char path[] =
        "instance/service-accounts/default/identity?audience=paraph&format=full";

    c->known = known;
    auth_adc_free(&c->adc);
    if (auth_adc_load(&c->adc, e) != 0)
        return -1;
    if (c->adc.kind != AUTH_ADC_METADATA)
        return ask_iam(c, e);
    auth_leg_forget(c);
    return auth_leg_ask_metadata(c, path, true, on_metadata_token, e);
}
