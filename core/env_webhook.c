/*
 * env_webhook.c - WEBHOOK_*: who is told of events, and what they are signed with.
 *
 * No fault quotes a value: addresses and secrets are both for nobody else to know.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "env.h"
#include "env_read.h"

#define SECRET_PREFIX    "whsec_"
#define SECRET_BYTES_MIN 24 /* as Standard Webhooks has it, and at most 64 */
#define SECRET_MAX       KIB

static const char *const events[] = {"draft.created", "draft.held",  "draft.rejected",
                                     "sent",          "send.failed", "opened"};
static const char all_events[] = "draft.created, draft.held, draft.rejected, sent, send.failed, "
                                 "opened";
static bool wanted[COUNT_OF(events)];

const char *env_webhook_event(size_t i) {
    return i < COUNT_OF(events) ? events[i] : NULL;
}

bool env_webhook_wants(size_t i) {
    return env.nwebhooks > 0 && wanted[i];
}

/* --- WEBHOOK_URL ----------------------------------------------------------------------------- */

static bool check_url(size_t number, const char *url) {
    static const char name[] = "WEBHOOK_URL";

    if (env_holds_user(url))
        env_fault(name, "address %zu holds a user or a password: leave them out, events are signed",
                  number);
    else if (!env_is_url(url))
        env_fault(name,
                  "address %zu is not one such as https://crm.example.org/hooks (list several with "
                  "commas; a comma in one is %%2C)",
                  number);
    else if (strncmp(url, "https://", 8) != 0 && !env.webhook_allow_private)
        env_fault(name, "address %zu is not https (WEBHOOK_ALLOW_PRIVATE=true allows http)",
                  number);
    else
        return true;
    return false;
}

static void load_urls(void) {
    const char *list = env_get_list("WEBHOOK_URL", ""), *item;
    size_t n;

    for (size_t number = 1; (item = env_next_item(&list, &n)) != NULL; number++) {
        const char *url;

        if (number > ENV_WEBHOOKS_MAX) {
            env_fault("WEBHOOK_URL", "holds more than %d addresses", ENV_WEBHOOKS_MAX);
            return;
        }
        url = env_own(strndup(item, n));
        if (check_url(number, url))
            env.webhooks[env.nwebhooks++] = url;
    }
}

/* --- WEBHOOK_SECRET -------------------------------------------------------------------------- */

static bool read_secret(struct env_webhook_secret *secret, const char *s, size_t n) {
    size_t prefix = strlen(SECRET_PREFIX);
    struct buf bytes;
    bool is;

    buf_init(&bytes, SECRET_MAX);
    is = n > prefix && memcmp(s, SECRET_PREFIX, prefix) == 0 &&
         encode_base64_decode(&bytes, s + prefix, n - prefix, NULL) == 0 && !buf_failed(&bytes) &&
         bytes.len >= SECRET_BYTES_MIN && bytes.len <= sizeof(secret->key);
    if (is) {
        memcpy(secret->key, bytes.data, bytes.len);
        secret->n = bytes.len;
    }
    buf_wipe(&bytes);
    return is;
}

static void load_secrets(void) {
    const char *list = env_get_list("WEBHOOK_SECRET", ""), *item;
    size_t n;

    for (size_t number = 1; (item = env_next_item(&list, &n)) != NULL; number++) {
        if (number > ENV_WEBHOOK_SECRETS_MAX) {
            env_fault("WEBHOOK_SECRET", "holds more than %d secrets", ENV_WEBHOOK_SECRETS_MAX);
            return;
        }
        if (read_secret(&env.webhook_secrets[env.nwebhook_secrets], item, n))
            env.nwebhook_secrets++;
        else
            env_fault("WEBHOOK_SECRET",
                      "secret %zu is not " SECRET_PREFIX " and %d to %zu bytes in base64 "
                      "(echo " SECRET_PREFIX "$(head -c 32 /dev/urandom | base64) makes one)",
                      number, SECRET_BYTES_MIN, sizeof(env.webhook_secrets[0].key));
    }
}

/* --- WEBHOOK_EVENTS -------------------------------------------------------------------------- */

static void want(const char *s, size_t n) {
    size_t i = 0;

    while (i < COUNT_OF(events) && (strlen(events[i]) != n || memcmp(events[i], s, n) != 0))
        i++;
    if (i < COUNT_OF(events))
        wanted[i] = true;
    else
        env_fault("WEBHOOK_EVENTS", "'%.*s' is not one of: %s", n < 40 ? (int)n : 40, s,
                  all_events);
}

static void load_events(void) {
    const char *list = env_get_list("WEBHOOK_EVENTS", all_events), *item;
    size_t n;

    memset(wanted, 0, sizeof(wanted));
    while ((item = env_next_item(&list, &n)) != NULL)
        want(item, n);
}

void env_load_webhooks(void) {
    bool is_set = env_get("WEBHOOK_ALLOW_PRIVATE", NULL) != NULL;

    /* Where it is neither yes nor no, no address is told to be wrong without it. */
    env.webhook_allow_private = env_get_bool("WEBHOOK_ALLOW_PRIVATE", is_set);
    load_urls();
    load_secrets();
    load_events();
    if (env_get("WEBHOOK_URL", NULL) != NULL && env_get("WEBHOOK_SECRET", NULL) == NULL &&
        env.role != ENV_TRACKER) /* the public half may leave the delivery to the other */
        env_fault("WEBHOOK_SECRET",
                  "is not set, and WEBHOOK_URL is: events are signed with it (echo " SECRET_PREFIX
                  "$(head -c 32 /dev/urandom | base64) makes one)");
}
