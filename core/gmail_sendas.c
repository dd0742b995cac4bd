#include "gmail_sendas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "env.h"
#include "gmail_api.h"
#include "gmail_text.h"
#include "log.h"
#include "loop.h"

struct box {
    struct box *next; /* the latest used first */
    char *mailbox;
    struct google_call *call; /* reads them; NULL: nobody does */
    bool reading;             /* that, also before google_start() has returned */
    unsigned telling;         /* those who waited: how deep */
    struct gmail_sendas_wait *first;
    struct gmail_identities ids;
    bool known;           /* ids were read, at: */
    uint64_t read_at_ms;  /* loop_now_ms() */
    uint64_t again_at_ms; /* not before */
};

static struct box *boxes;
static bool warned;

static const struct gmail_identities unreadable;
static const struct err none;

/* --- identities ------------------------------------------------------------------------------ */

const struct gmail_identity *gmail_sendas_find(const struct gmail_identities *ids,
                                               const char *address) {
    for (size_t i = 0; i < ids->n; i++)
        if (strcasecmp(ids->v[i].address, address) == 0)
            return &ids->v[i];
    return NULL;
}

static void identities_free(struct gmail_identities *ids) {
    for (size_t i = 0; i < ids->n; i++) {
        free(ids->v[i].address);
        free(ids->v[i].signature);
    }
    free(ids->v);
    *ids = (struct gmail_identities){0};
}

/* The primary address has no status; others have been confirmed, or not yet. */
static bool is_accepted(const json_t *sendas) {
    const char *status = json_string_value(json_object_get(sendas, "verificationStatus"));

    return status == NULL || strcmp(status, "accepted") == 0 ||
           strcmp(status, "verificationStatusUnspecified") == 0;
}

/* An entry that has no address of ours is passed over: nobody can write as it.  -1: no memory. */
static int read_identity(struct gmail_identities *ids, const json_t *sendas) {
    const json_t *email = json_object_get(sendas, "sendAsEmail");
    const json_t *html = json_object_get(sendas, "signature");
    struct gmail_identity *id = &ids->v[ids->n];
    struct address_list list = {0};

    if (!json_is_string(email) ||
        address_parse(&list, json_string_value(email), json_string_length(email), NULL) != 0)
        return 0;
    if (list.n == 1) {
        ids->n++;
        id->accepted = is_accepted(sendas);
        id->address = strdup(list.v[0].spec);
        id->signature = json_is_string(html)
                            ? gmail_signature(json_string_value(html), json_string_length(html))
                            : strdup("");
    }
    address_list_fini(&list);
    return list.n == 1 && (id->address == NULL || id->signature == NULL) ? -1 : 0;
}

static int read_identities(struct gmail_identities *ids, const json_t *answer, struct err *e) {
    const json_t *list = json_object_get(answer, "sendAs"), *sendas;
    size_t i;

    *ids = (struct gmail_identities){.readable = true};
    if (json_array_size(list) == 0)
        return err_set(e, ERR_GMAIL_ERROR,
                       "Gmail sendAs.list: the answer names no identity; "
                       "every mailbox has one");
    if ((ids->v = calloc(json_array_size(list), sizeof(*ids->v))) == NULL)
        goto fail;
    json_array_foreach(list, i, sendas) {
        if (read_identity(ids, sendas) != 0)
            goto fail;
    }
    return 0;
fail:
    identities_free(ids);
    return err_set(e, ERR_INTERNAL_ERROR, "out of memory for the identities of a mailbox");
}

/* --- boxes ----------------------------------------------------------------------------------- */

static void box_free(struct box *b) {
    identities_free(&b->ids);
    free(b->mailbox);
    free(b);
}

static void forget_longest_unused(void) {
    struct box **victim = NULL, *b;
    unsigned n = 0;

    for (struct box **at = &boxes; *at != NULL; at = &(*at)->next, n++)
        if (!(*at)->reading && (*at)->telling == 0)
            victim = at;
    if (n < GMAIL_SENDAS_BOXES_MAX || victim == NULL)
        return;
    b = *victim;
    *victim = b->next;
    box_free(b);
}

/* The box of a mailbox, moved to the front; NULL when out of memory. */
static struct box *box_get(const char *mailbox) {
    struct box **at = &boxes, *b;

    while (*at != NULL && strcasecmp((*at)->mailbox, mailbox) != 0)
        at = &(*at)->next;
    if ((b = *at) != NULL) {
        *at = b->next;
    } else {
        forget_longest_unused();
        if ((b = calloc(1, sizeof(*b))) == NULL || (b->mailbox = strdup(mailbox)) == NULL) {
            free(b);
            return NULL;
        }
    }
    b->next = boxes;
    return boxes = b;
}

static int64_t age_s(const struct box *b) {
    return (int64_t)((loop_now_ms() - b->read_at_ms) / 1000);
}

/* --- reading --------------------------------------------------------------------------------- */

static void warn_unreadable(const char *mailbox) {
    if (warned)
        return;
    warned = true;
    LOG(LOG_WARNING, NULL,
        "mail leaves without signature, and from the mailbox's own address alone",
        LOG_S("mailbox", mailbox),
        LOG_S("error", "the scopes do not allow to read the settings of Gmail: add "
                       "https://www.googleapis.com/auth/gmail.settings.basic to GMAIL_SCOPES and "
                       "to the delegation in the Admin console"));
}

/* Whoever hears it may cancel others, or ask again. */
static void tell(struct box *b, const struct err *e) {
    struct gmail_sendas_wait *w;

    b->telling++;
    while ((w = b->first) != NULL) {
        gmail_sendas_cancel(w);
        w->done(&b->ids, e, w->arg);
    }
    b->telling--;
}

static void learn(struct box *b, struct gmail_identities ids) {
    identities_free(&b->ids);
    b->ids = ids;
    b->known = true;
    b->read_at_ms = loop_now_ms();
    b->again_at_ms = b->read_at_ms + GMAIL_SENDAS_FRESH_S * 1000;
}

static void on_identities(struct google_reply *reply, void *arg) {
    struct box *b = arg;
    struct gmail_identities ids = {0};
    struct err e = reply->err;

    b->call = NULL;
    b->reading = false;
    if (gmail_lacks_scope(reply->status, reply->err.reason)) {
        warn_unreadable(b->mailbox);
        e = none;
        learn(b, unreadable);
    } else if (e.code == ERR_NONE && read_identities(&ids, reply->json, &e) == 0) {
        learn(b, ids);
    } else {
        b->again_at_ms = loop_now_ms() + GMAIL_SENDAS_RETRY_S * 1000;
    }
    if (e.code != ERR_NONE && b->known)
        LOG(LOG_WARNING, NULL, "identities and signatures cannot be read; the last ones are used",
            LOG_S("mailbox", b->mailbox), LOG_I("age_s", age_s(b)), LOG_E(&e));
    tell(b, &e);
}

static void start_reading(struct box *b) {
    struct google_call *call;

    b->reading = true;
    if ((call = gmail_api_identities(b->mailbox, on_identities, b)) != NULL)
        b->call = call;
}

void gmail_sendas_read(const char *mailbox, struct gmail_sendas_wait *w, gmail_sendas_fn *done,
                       void *arg) {
    struct box *b;
    struct err e;

    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_IDENTITIES)) {
        warn_unreadable(mailbox);
        done(&unreadable, &none, arg);
        return;
    }
    if ((b = box_get(mailbox)) == NULL) {
        err_set(&e, ERR_INTERNAL_ERROR, "out of memory");
        done(&unreadable, &e, arg);
        return;
    }
    if (!b->known) {
        *w = (struct gmail_sendas_wait){b->first, &b->first, done, arg};
        if (b->first != NULL)
            b->first->link = &w->next;
        b->first = w;
        if (!b->reading)
            start_reading(b);
        return;
    }
    if (!b->reading && loop_now_ms() >= b->again_at_ms)
        start_reading(b);
    LOG(LOG_DEBUG, NULL, "identities from the cache", LOG_S("mailbox", mailbox),
        LOG_I("age_s", age_s(b)));
    done(&b->ids, &none, arg);
}

void gmail_sendas_cancel(struct gmail_sendas_wait *w) {
    if (w->link == NULL)
        return;
    *w->link = w->next;
    if (w->next != NULL)
        w->next->link = w->link;
    w->link = NULL;
}

void gmail_sendas_fini(void) {
    struct box *b;

    while ((b = boxes) != NULL) {
        boxes = b->next;
        google_cancel(&b->call);
        box_free(b);
    }
    warned = false;
}
