#include "auth_leg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "crypto.h"
#include "encode.h"
#include "env.h"

#define ANSWER_MAX          (256 * KIB)
#define TOKEN_MAX           (16 * KIB)
#define LIFE_MAX_S          (12 * 3600)
#define METADATA_TIMEOUT_MS 3000

/* --- requests -------------------------------------------------------------------------------- */

struct secret {
    size_t len;
    char bytes[];
};

static void release_secret(void *owner) {
    struct secret *s = owner;

    explicit_bzero(s->bytes, s->len);
    free(s);
}

/* A blob that is overwritten before it is freed. */
static struct blob *secret_blob(const struct buf *b) {
    struct secret *s = malloc(sizeof(*s) + b->len);
    struct blob *blob;

    if (s == NULL)
        return NULL;
    s->len = b->len;
    memcpy(s->bytes, b->data, b->len);
    if ((blob = blob_wrap(s->bytes, s->len, release_secret, s)) == NULL)
        release_secret(s);
    return blob;
}

void auth_leg_forget(struct auth_chain *c) {
    free(c->url);
    crypto_wipe(c->authorization);
    blob_unref(c->rq.body);
    c->url = c->authorization = NULL;
    c->rq = (struct google_exchange_request){0};
}

void auth_leg_destroy(struct auth_chain *c) {
    auth_leg_forget(c);
    auth_adc_free(&c->adc);
    crypto_wipe(c->bearer);
    free(c->quota_project);
    free(c);
}

void auth_leg_finish(struct auth_chain *c, const struct auth_chain_result *r) {
    c->done(r, c->arg);
    auth_leg_destroy(c);
}

static void add_header(struct auth_chain *c, const char *name, const char *value) {
    c->rq.headers[c->rq.nheaders++] = (struct fetch_header){name, value};
}

/* Send what rq says so far to `url`, which is taken over. */
static int start(struct auth_chain *c, enum google_peer peer, const char *step, char *url,
                 google_exchange_done_fn *on_answer, struct err *e) {
    c->url = url;
    c->rq.peer = peer;
    c->rq.names = (struct google_names){.step = step,
                                        .account = c->order.account != NULL ? c->order.account
                                                                            : c->adc.account,
                                        .mailbox = c->order.mailbox,
                                        .scopes = c->order.scopes,
                                        .quota_project = c->quota_project};
    c->rq.url = url;
    c->rq.repeatable = true; /* none of these has an effect that lasts */
    c->rq.deadline_ms = c->order.deadline_ms;
    c->rq.max_bytes = ANSWER_MAX;
    if (url == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "%s: out of memory", step);
    c->exchange = google_exchange_start(&c->rq, on_answer, c, e);
    return c->exchange != NULL ? 0 : -1;
}

/* In one piece: vasprintf() moves what may be a secret while it grows. */
char *auth_leg_format(const char *fmt, ...) {
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || (text = malloc((size_t)n + 1)) == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

int auth_leg_post(struct auth_chain *c, enum google_peer peer, const char *step, char *url,
                  const char *type, struct buf *body, google_exchange_done_fn *on_answer,
                  struct err *e) {
    c->rq.method = "POST";
    c->rq.body = buf_failed(body) ? NULL : secret_blob(body);
    buf_wipe(body);
    add_header(c, "Content-Type", type);
    if (c->bearer != NULL && peer == GOOGLE_PEER_IAM) {
        c->authorization = auth_leg_format("Bearer %s", c->bearer);
        if (c->authorization != NULL)
            add_header(c, "Authorization", c->authorization);
        if (c->quota_project != NULL)
            add_header(c, "x-goog-user-project", c->quota_project);
    }
    if (c->rq.body == NULL || (c->authorization == NULL && peer == GOOGLE_PEER_IAM)) {
        free(url);
        return err_set(e, ERR_INTERNAL_ERROR, "%s: the request is too large", step);
    }
    return start(c, peer, step, url, on_answer, e);
}

void auth_leg_add_field(struct buf *form, const char *name, const char *value) {
    buf_addf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    encode_percent(form, value, strlen(value));
}

/* --- answers --------------------------------------------------------------------------------- */

void auth_leg_fail_with(struct auth_chain *c, const struct err *e, bool transient) {
    struct auth_chain_result r = {.err = *e, .transient = transient};

    auth_leg_finish(c, &r);
}

void auth_leg_fail(struct auth_chain *c, const struct google_answer *a) {
    auth_leg_fail_with(c, &a->err, a->transient);
}

void auth_leg_malformed(struct auth_chain *c, const char *what) {
    struct err e;

    err_set(&e, ERR_AUTH_ERROR, "%s: the answer has no usable %s: does the address lead to Google?",
            c->rq.names.step, what);
    auth_leg_fail_with(c, &e, false);
}

bool auth_leg_is_token(const char *s) {
    size_t n = s != NULL ? strlen(s) : 0;

    if (n == 0 || n > TOKEN_MAX)
        return false;
    while (n > 0 && s[n - 1] > ' ' && s[n - 1] <= '~')
        n--;
    return n == 0;
}

/* expires_in, a number or the text of one, or expireTime; false if there is none of them. */
static bool read_life(const json_t *json, uint64_t *ms) {
    const json_t *in = json_object_get(json, "expires_in");
    const json_t *at = json_object_get(json, "expireTime");
    double seconds = json_number_value(in);
    const char *text;
    int64_t us;

    if (json_is_string(in)) {
        text = json_string_value(in);
        if (*text == '\0' || strspn(text, "0123456789") < json_string_length(in))
            return false;
        seconds = strtod(text, NULL);
    } else if (json_is_string(at)) {
        if (clock_parse(json_string_value(at), json_string_length(at), &us) != 0)
            return false;
        seconds = (double)(us - clock_now_us()) / 1e6;
    } else if (!json_is_number(in)) {
        return false;
    }
    if (!(seconds > 0))
        seconds = 0;
    *ms = seconds < LIFE_MAX_S ? (uint64_t)(seconds * 1000) : LIFE_MAX_S * 1000;
    return true;
}

void auth_leg_take_token(struct auth_chain *c, const struct google_answer *a, const char *name) {
    struct auth_chain_result r = {.value = json_string_value(json_object_get(a->json, name)),
                                  .quota_project = c->quota_project};

    if (!auth_leg_is_token(r.value))
        auth_leg_malformed(c, name);
    else if (!read_life(a->json, &r.life_ms))
        auth_leg_malformed(c, "expires_in");
    else
        auth_leg_finish(c, &r);
}

/* --- the metadata server --------------------------------------------------------------------- */

static const char *metadata_host(void) {
    return env.gce_metadata_host != NULL ? env.gce_metadata_host : "metadata.google.internal";
}

bool auth_leg_is_google_cloud(void) {
    return env.cloud_run || env.gce_metadata_host != NULL;
}

int auth_leg_ask_metadata(struct auth_chain *c, const char *path, bool text,
                          google_exchange_done_fn *on_answer, struct err *e) {
    add_header(c, "Metadata-Flavor", "Google");
    c->rq.text = text;
    /* Many at once at an instance's start may take it longer than this: not on Cloud Run. */
    c->rq.attempt_ms = env.cloud_run ? 0 : METADATA_TIMEOUT_MS;
    return start(c, GOOGLE_PEER_METADATA, "metadata server",
                 auth_leg_format("http://%s/computeMetadata/v1/%s", metadata_host(), path),
                 on_answer, e);
}

bool auth_leg_check_metadata(struct auth_chain *c, const struct google_answer *a) {
    bool flavoured = false;
    struct err e;

    for (size_t i = 0; i < a->nheaders; i++)
        flavoured = flavoured || (strcmp(a->headers[i].name, "metadata-flavor") == 0 &&
                                  strcmp(a->headers[i].value, "Google") == 0);
    if (a->status != 0 && !flavoured) {
        err_set(&e, ERR_AUTH_ERROR,
                "metadata server: what answered at %s (%d) is no metadata server, since its answer "
                "lacks Metadata-Flavor: Google; check GCE_METADATA_HOST",
                metadata_host(), a->status);
        auth_leg_fail_with(c, &e, false);
    } else if (a->status == 0 && !auth_leg_is_google_cloud()) {
        err_set(
            &e, ERR_AUTH_ERROR,
            "metadata server: there are no Google credentials: this is not Google Cloud, and no "
            "credentials file was found; run `gcloud auth application-default login` (%.200s)",
            a->err.message);
        auth_leg_fail_with(c, &e, false);
    } else if (a->err.code != ERR_NONE) {
        auth_leg_fail(c, a);
    } else {
        return true;
    }
    return false;
}
