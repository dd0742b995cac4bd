#include "auth_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "clock.h"
#include "encode.h"
#include "store.h"

#define RANDOM_LEN 32
#define TOKEN_LEN  43

struct auth_session_call {
    struct store_call *store;
    bool starting; /* inside store_start() */
    bool over;     /* and it has ended there */
    auth_session_done_fn *done;
    void *arg;
    struct auth_session session;
    char token[TOKEN_LEN + 1];
};

const char *auth_session_collection(void) {
    static char name[256];

    snprintf(name, sizeof(name), "%.200s_sessions", env.draft_collection);
    return name;
}

/* A session belongs to the key, not to its name: who gets another key signs in anew. */
static void fingerprint(char out[CRYPTO_SHA256_HEX], const struct env_key *key) {
    crypto_sha256_hex(out, key->sha256, strlen(key->sha256));
}

/* --- calls ----------------------------------------------------------------------------------- */

static struct auth_session_call *call_new(auth_session_done_fn *done, void *arg) {
    struct auth_session_call *c = calloc(1, sizeof(*c));
    struct err e;

    if (c == NULL) {
        err_set(&e, ERR_OVERLOADED, "there is not enough memory for this request just now");
        done(&e, NULL, arg);
        return NULL;
    }
    c->done = done;
    c->arg = arg;
    return c;
}

static void call_free(struct auth_session_call *c) {
    explicit_bzero(c, sizeof(*c));
    free(c);
}

static struct auth_session_call *start(struct auth_session_call *c, struct store_request *rq,
                                       store_done_fn *done) {
    rq->collection = auth_session_collection();
    rq->id = c->session.id;
    c->starting = true;
    c->store = store_start(rq, done, c);
    c->starting = false;
    if (!c->over)
        return c;
    call_free(c);
    return NULL;
}

static void finish(struct auth_session_call *c, const struct err *e, bool found) {
    c->store = NULL;
    c->over = true;
    c->done(e, e->code == ERR_NONE && found ? &c->session : NULL, c->arg);
    if (!c->starting)
        call_free(c);
}

void auth_session_cancel(struct auth_session_call **cp) {
    struct auth_session_call *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    store_cancel(&c->store);
    call_free(c);
}

/* --- open ------------------------------------------------------------------------------------ */

static void on_created(struct store_reply *r, void *arg) {
    struct auth_session_call *c = arg;

    c->session.token = c->token;
    finish(c, &r->err, true);
}

static void make_token(struct auth_session_call *c) {
    unsigned char random[RANDOM_LEN];
    struct buf text;

    crypto_random(random, sizeof(random));
    buf_init(&text, sizeof(c->token));
    buf_reserve(&text, TOKEN_LEN); /* at once: it is wiped as a whole */
    encode_base64url(&text, random, sizeof(random));
    memcpy(c->token, text.data, sizeof(c->token));
    crypto_sha256_hex(c->session.id, c->token, TOKEN_LEN);
    explicit_bzero(random, sizeof(random));
    buf_wipe(&text);
}

struct auth_session_call *auth_session_open(const struct env_key *key, struct scratch *scratch,
                                            auth_session_done_fn *done, void *arg) {
    struct auth_session_call *c = call_new(done, arg);
    struct store_request rq = {.verb = STORE_CREATE, .scratch = scratch};
    char print[CRYPTO_SHA256_HEX], now[CLOCK_TEXT_SIZE], end[CLOCK_TEXT_SIZE];
    int64_t us = clock_now_us();

    if (c == NULL)
        return NULL;
    make_token(c);
    c->session.key = key;
    fingerprint(print, key);
    clock_format(now, us);
    clock_format(end, us + AUTH_SESSION_LIFE_S * (int64_t)1000000);
    rq.fields = json_pack("{ss ss ss ss}", "name", key->name, "key", print, "created_at", now,
                          "expires_at", end);
    c = start(c, &rq, on_created);
    json_decref(rq.fields);
    return c;
}

/* --- find ------------------------------------------------------------------------------------ */

static bool is_over(const json_t *fields) {
    const char *end = json_string_value(json_object_get(fields, "expires_at"));
    int64_t us;

    return end == NULL || clock_parse(end, strlen(end), &us) != 0 || clock_now_us() >= us;
}

static const struct env_key *key_of(const json_t *fields) {
    const char *name = json_string_value(json_object_get(fields, "name"));
    const char *stored = json_string_value(json_object_get(fields, "key"));
    char print[CRYPTO_SHA256_HEX];

    for (size_t i = 0; name != NULL && stored != NULL && i < env.nkeys; i++) {
        fingerprint(print, &env.keys[i]);
        if (strcmp(env.keys[i].name, name) == 0 && strcmp(print, stored) == 0)
            return &env.keys[i];
    }
    return NULL;
}

static void on_found(struct store_reply *r, void *arg) {
    struct auth_session_call *c = arg;
    bool lives = r->err.code == ERR_NONE && r->found && !is_over(r->fields);

    if (lives)
        c->session.key = key_of(r->fields);
    finish(c, &r->err, lives && c->session.key != NULL);
}

struct auth_session_call *auth_session_find(const char *token, size_t n, auth_session_done_fn *done,
                                            void *arg) {
    struct store_request rq = {.verb = STORE_GET};
    struct auth_session_call *c = call_new(done, arg);

    if (c == NULL)
        return NULL;
    crypto_sha256_hex(c->session.id, token, n);
    return start(c, &rq, on_found);
}

/* --- close ----------------------------------------------------------------------------------- */

static void on_deleted(struct store_reply *r, void *arg) {
    finish(arg, &r->err, false);
}

struct auth_session_call *auth_session_close(const char *id, struct scratch *scratch,
                                             auth_session_done_fn *done, void *arg) {
    struct store_request rq = {.verb = STORE_DELETE, .scratch = scratch};
    struct auth_session_call *c = call_new(done, arg);

    if (c == NULL)
        return NULL;
    snprintf(c->session.id, sizeof(c->session.id), "%s", id);
    return start(c, &rq, on_deleted);
}
