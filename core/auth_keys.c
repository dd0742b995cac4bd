#include "auth_keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "env.h"
#include "google_exchange.h"
#include "jwt.h"
#include "log.h"
#include "throttle.h"

#define ANSWER_MAX   (256 * KIB)
#define ATTEMPT_MS   5000
#define LIFE_S       300 /* where nothing is said */
#define LIFE_MIN_S   1
#define LIFE_MAX_S   86400
#define LATE_MS      (300 * (uint64_t)1000)   /* beyond it, while newer ones are fetched */
#define STALE_MS     (86400 * (uint64_t)1000) /* beyond it, if these cannot be had */
#define RETRY_MS     10000
#define UNKNOWN_RATE ((struct throttle_rate){1.0 / 30, 5})

/* One who waits. */
struct auth_keys_call {
    struct auth_keys_call *next, **link;
    auth_keys_done_fn *done;
    void *arg;
    char kid[JWT_KID_MAX + 1];
};

static struct set {
    enum auth_keys_source source;
    struct jwt_keys *keys; /* NULL: none yet */
    uint64_t fresh_until_ms, stale_until_ms;
    bool failed;       /* to fetch them, the last time */
    uint64_t retry_ms; /* then: not before */
    struct google_exchange_request rq;
    struct google_exchange *exchange; /* NULL: none under way */
    struct auth_keys_call *waiting;
} sets[AUTH_KEYS_SOURCES];

static struct throttle *unknown; /* how often an unknown key is looked for, by source */

static const char *const steps[] = {
    [AUTH_KEYS_GOOGLE] = "keys of ID tokens", [AUTH_KEYS_IAP] = "keys of IAP"};

/* --- those who wait -------------------------------------------------------------------------- */

static void unlink_call(struct auth_keys_call *c) {
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
}

/* From what there is by now. */
static void tell(const struct set *s, const char *kid, auth_keys_done_fn *done, void *arg) {
    struct err e = {.code = ERR_NONE};

    if (s->keys != NULL && clock_monotonic_ms() < s->stale_until_ms) {
        done(&e, jwt_keys_find(s->keys, kid), arg);
        return;
    }
    err_set(&e, ERR_AUTH_ERROR, "the caller's identity cannot be checked just now; try again");
    done(&e, NULL, arg);
}

/* One after another: what one does may cancel another. */
static void tell_all(struct set *s) {
    struct auth_keys_call *c;

    while ((c = s->waiting) != NULL) {
        unlink_call(c);
        tell(s, c->kid, c->done, c->arg);
        free(c);
    }
}

static struct auth_keys_call *wait_for(struct set *s, const char *kid, auth_keys_done_fn *done,
                                       void *arg) {
    struct auth_keys_call *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        tell(s, kid, done, arg);
        return NULL;
    }
    memcpy(c->kid, kid, strlen(kid) + 1);
    c->done = done;
    c->arg = arg;
    c->next = s->waiting;
    c->link = &s->waiting;
    if (c->next != NULL)
        c->next->link = &c->next;
    s->waiting = c;
    return c;
}

/* --- asking ---------------------------------------------------------------------------------- */

static const char *find_header(const struct google_answer *a, const char *name) {
    for (size_t i = 0; i < a->nheaders; i++)
        if (strcmp(a->headers[i].name, name) == 0)
            return a->headers[i].value;
    return "";
}

/* How long they may be kept (RFC 9111 §5.2.2). */
static uint64_t life_ms(const struct google_answer *a) {
    const char *control = find_header(a, "cache-control");
    const char *said = strcasestr(control, "max-age=");
    long life = LIFE_S;

    if (said != NULL)
        life =
            strtol(said + strlen("max-age="), NULL, 10) - strtol(find_header(a, "age"), NULL, 10);
    if (strcasestr(control, "no-store") != NULL || strcasestr(control, "no-cache") != NULL)
        life = 0;
    if (life < LIFE_MIN_S)
        life = LIFE_MIN_S;
    return 1000 * (uint64_t)(life < LIFE_MAX_S ? life : LIFE_MAX_S);
}

static void on_failure(struct set *s, const struct err *e) {
    LOG(LOG_WARNING, NULL, "the keys that callers' tokens are checked with could not be fetched",
        LOG_S("url", s->rq.url), LOG_B("older_ones_serve", s->keys != NULL), LOG_E(e));
    s->failed = true;
    s->retry_ms = clock_monotonic_ms() + RETRY_MS;
}

static void on_answer(struct google_answer *a, void *arg) {
    struct set *s = arg;
    bool rsa = s->source == AUTH_KEYS_GOOGLE;
    struct jwt_keys *keys;
    struct err e;

    s->exchange = NULL;
    if (a->err.code != ERR_NONE) {
        on_failure(s, &a->err);
    } else if ((keys = jwt_keys_read(a->json, rsa ? CRYPTO_KEY_RSA : CRYPTO_KEY_P256, &e)) ==
               NULL) {
        on_failure(s, &e);
    } else {
        jwt_keys_free(s->keys);
        s->keys = keys;
        s->failed = false;
        s->fresh_until_ms = clock_monotonic_ms() + life_ms(a);
        s->stale_until_ms = s->fresh_until_ms + STALE_MS;
    }
    tell_all(s);
}

static void ask(struct set *s) {
    struct err e;

    s->rq = (struct google_exchange_request){
        .peer = GOOGLE_PEER_KEYS,
        .names = {.step = steps[s->source]},
        .url = s->source == AUTH_KEYS_GOOGLE ? env.google_jwks_url : env.iap_jwks_url,
        .repeatable = true,
        .attempt_ms = ATTEMPT_MS,
        .deadline_ms = clock_monotonic_ms() + env.upstream_timeout * 1000ULL,
        .max_bytes = ANSWER_MAX};
    if ((s->exchange = google_exchange_start(&s->rq, on_answer, s, &e)) == NULL)
        on_failure(s, &e);
}

/* Is there reason to ask, and leave to do so? */
static bool may_ask(const struct set *s, uint64_t now) {
    if (s->exchange != NULL || now < s->retry_ms)
        return false;
    return now >= s->fresh_until_ms ||
           throttle_take(unknown, UNKNOWN_RATE, &s->source, sizeof(s->source), now) == 0;
}

/* Is there such a key, and is it good enough not to wait for newer ones? */
static bool knows(const struct set *s, const char *kid, uint64_t now) {
    uint64_t end_ms = s->failed ? s->stale_until_ms : s->fresh_until_ms + LATE_MS;

    return s->keys != NULL && now < end_ms && jwt_keys_find(s->keys, kid) != NULL;
}

struct auth_keys_call *auth_keys_find(enum auth_keys_source source, const char *kid,
                                      auth_keys_done_fn *done, void *arg) {
    struct set *s = &sets[source];
    uint64_t now = clock_monotonic_ms();
    bool known = knows(s, kid, now);

    if ((!known || now >= s->fresh_until_ms) && may_ask(s, now))
        ask(s);
    if (!known && s->exchange != NULL)
        return wait_for(s, kid, done, arg);
    tell(s, kid, done, arg);
    return NULL;
}

void auth_keys_cancel(struct auth_keys_call **cp) {
    struct auth_keys_call *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    unlink_call(c);
    free(c);
}

/* --- birth and death ------------------------------------------------------------------------- */

int auth_keys_init(struct err *e) {
    for (size_t i = 0; i < AUTH_KEYS_SOURCES; i++)
        sets[i] = (struct set){.source = (enum auth_keys_source)i};
    if ((unknown = throttle_new()) == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return 0;
}

void auth_keys_fini(void) {
    for (size_t i = 0; i < AUTH_KEYS_SOURCES; i++) {
        google_exchange_cancel(&sets[i].exchange);
        tell_all(&sets[i]);
        jwt_keys_free(sets[i].keys);
        sets[i].keys = NULL;
    }
    throttle_free(unknown);
    unknown = NULL;
}
