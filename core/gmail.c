#include "gmail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "env.h"
#include "gmail_api.h"
#include "gmail_call.h"
#include "gmail_reply.h"
#include "gmail_text.h"
#include "google_exchange.h"
#include "log.h"

static bool warned; /* that there are no drafts */

/* --- answers --------------------------------------------------------------------------------- */

/* Without both ids nobody knows what Gmail has done. */
static int read_ids(struct mail_reply *r, const json_t *message) {
    if (gmail_read_text(r->id, sizeof(r->id), message, "id") &&
        gmail_read_text(r->thread_id, sizeof(r->thread_id), message, "threadId"))
        return 0;
    return err_set(&r->err, ERR_GMAIL_ERROR, "Gmail said yes, but gave no id of the message");
}

static void take_err(const struct gmail_call *c, struct mail_reply *r,
                     const struct google_reply *reply) {
    r->err = reply->err;
    r->unknown = reply->unknown;
    if (reply->status == 404 && c->verb == MAIL_DRAFT_SEND)
        err_set(&r->err, ERR_NOT_FOUND, "there is no such draft in the mailbox of %s", c->mailbox);
    else if (reply->status == 404 && c->thread_id != NULL)
        err_set_field(&r->err, ERR_INVALID_FIELD, "thread_id",
                      "thread_id: there is no such thread in the mailbox of %s", c->mailbox);
}

/* Refused for the mailbox's rate, so surely not processed: true if the call waits for another turn,
 * when that is over. */
static bool wait_out(struct gmail_call *c, const struct google_reply *reply) {
    if (reply->err.code != ERR_RATE_LIMITED || reply->unknown ||
        gmail_line_block(&c->place, reply->err.retry_after) != 0)
        return false;
    google_exchange_count_retry(GOOGLE_PEER_GMAIL);
    return true;
}

/* messages.send, drafts.send */
static void on_sent(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {0};

    c->google = NULL;
    if (wait_out(c, reply))
        return;
    if (reply->err.code != ERR_NONE)
        take_err(c, &r, reply);
    else
        r.unknown = read_ids(&r, reply->json) != 0;
    gmail_call_end(c, &r);
}

static void do_without_drafts(struct gmail_call *c) {
    struct mail_reply r = {0};

    if (!warned)
        LOG(LOG_WARNING, NULL, "a send whose outcome is unknown cannot be settled",
            LOG_S("mailbox", c->mailbox),
            LOG_S("error", "the scopes do not allow drafts: add "
                           "https://www.googleapis.com/auth/gmail.compose to GMAIL_SCOPES and to "
                           "the delegation in the Admin console"));
    warned = true;
    gmail_call_end(c, &r);
}

static void name_mailbox(struct mail_reply *r, const struct gmail_call *c) {
    snprintf(r->mailbox, sizeof(r->mailbox), "%s", c->mailbox);
}

static void on_created(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {0};

    c->google = NULL;
    if (wait_out(c, reply))
        return;
    if (gmail_lacks_scope(reply->status, reply->err.reason)) {
        do_without_drafts(c);
        return;
    }
    if (reply->err.code != ERR_NONE)
        take_err(c, &r, reply);
    else if (read_ids(&r, json_object_get(reply->json, "message")) == 0 &&
             !gmail_read_text(r.id, sizeof(r.id), reply->json, "id"))
        err_set(&r.err, ERR_GMAIL_ERROR, "Gmail said yes, but gave no id of the draft");
    name_mailbox(&r, c);
    gmail_call_end(c, &r);
}

static void on_deleted(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {.exists = reply->err.code == ERR_NONE};

    c->google = NULL;
    /* 404 may be for a repetition: then it was there, or not. */
    if (reply->status != 404 || reply->unknown)
        r.err = reply->err;
    gmail_call_end(c, &r);
}

static void on_found(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {.err = reply->err};
    const json_t *draft;
    char id[MAIL_ID_SIZE];
    size_t i;

    c->google = NULL;
    json_array_foreach(json_object_get(reply->json, "drafts"), i, draft) {
        if (gmail_read_text(id, sizeof(id), draft, "id"))
            mail_reply_add(&r, id, strlen(id));
    }
    name_mailbox(&r, c);
    gmail_call_end(c, &r);
}

static void name_thread(struct mail_reply *r, const struct gmail_call *c) {
    if (c->thread_id != NULL)
        snprintf(r->thread_id, sizeof(r->thread_id), "%s", c->thread_id);
}

/* What the draft became: in its thread, sent, and with its key.  A courtesy: nothing fails. */
static void on_thread(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {0};
    const json_t *message;
    const char *key;
    size_t i;

    c->google = NULL;
    name_thread(&r, c);
    if (reply->err.code == ERR_NONE || reply->status == 404)
        r.fate = MAIL_FATE_DELETED;
    json_array_foreach(json_object_get(reply->json, "messages"), i, message) {
        key = gmail_header(message, "X-Paraph-Id");
        if (key == NULL || strcasecmp(key, c->key) != 0 || !gmail_has_label(message, "SENT"))
            continue;
        gmail_read_text(r.id, sizeof(r.id), message, "id");
        r.fate = MAIL_FATE_SENT;
    }
    gmail_call_end(c, &r);
}

static void on_draft(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {.exists = reply->err.code == ERR_NONE};

    c->google = NULL;
    name_thread(&r, c);
    if (reply->err.code != ERR_NONE && reply->status != 404)
        gmail_call_fail(c, &reply->err);
    else if (r.exists || c->thread_id == NULL || c->key == NULL ||
             !gmail_scopes_cover(env.gmail_scopes, GMAIL_HEADERS))
        gmail_call_end(c, &r);
    else
        gmail_call_wait(c, gmail_api_thread(c->mailbox, c->thread_id, on_thread, c));
}

static void on_profile(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    struct mail_reply r = {.err = reply->err};

    c->google = NULL;
    if (reply->err.code == ERR_NONE &&
        !gmail_read_text(r.mailbox, sizeof(r.mailbox), reply->json, "emailAddress"))
        err_set(&r.err, ERR_GMAIL_ERROR, "Gmail getProfile: the answer names no address");
    gmail_call_end(c, &r);
}

/* --- requests -------------------------------------------------------------------------------- */

static void transmit(struct gmail_call *c) {
    if (c->verb == MAIL_SEND)
        gmail_call_wait(c, gmail_api_send(c->mailbox, c->message, c->thread_id, on_sent, c));
    else if (c->verb == MAIL_DRAFT_CREATE)
        gmail_call_wait(
            c, gmail_api_draft_create(c->mailbox, c->message, c->thread_id, on_created, c));
    else
        gmail_call_wait(c, gmail_api_draft_send(c->mailbox, c->draft_id, on_sent, c));
}

/* It is c's turn to send. */
static void on_turn(void *arg) {
    struct gmail_call *c = arg;
    const struct log_scope *scope = log_hold_too(c->scope);
    const struct log_scope *before = log_enter(scope);

    transmit(c);
    log_enter(before);
    log_release(scope);
}

static void get_in_line(struct gmail_call *c) {
    struct err e;
    int now;

    c->place.turn = on_turn;
    c->place.arg = c;
    now = gmail_line_enter(&c->place, c->mailbox, &e);
    if (now < 0)
        gmail_call_fail(c, &e);
    else if (now > 0)
        transmit(c);
}

static void give_signature(struct gmail_call *c, const struct gmail_identity *id) {
    struct mail_reply r = {.signature = strdup(id != NULL ? id->signature : "")};

    if (r.signature == NULL)
        err_set(&r.err, ERR_INTERNAL_ERROR, "out of memory");
    gmail_call_end(c, &r);
}

/* The mailbox is known, and the identity, if one was asked for and can be read. */
static void proceed(struct gmail_call *c, const struct gmail_identity *id) {
    struct mail_reply r = {0};

    switch (c->verb) {
    case MAIL_SEND:
    case MAIL_DRAFT_SEND:
        get_in_line(c);
        break;
    case MAIL_DRAFT_CREATE:
        if (gmail_scopes_cover(env.gmail_scopes, GMAIL_DRAFTS))
            get_in_line(c);
        else
            do_without_drafts(c);
        break;
    case MAIL_DRAFT_GET:
        gmail_call_wait(c, gmail_api_draft_get(c->mailbox, c->draft_id, on_draft, c));
        break;
    case MAIL_DRAFT_DELETE:
        gmail_call_wait(c, gmail_api_draft_delete(c->mailbox, c->draft_id, on_deleted, c));
        break;
    case MAIL_DRAFT_FIND:
        if (gmail_scopes_cover(env.gmail_scopes, GMAIL_DRAFT_SEARCH))
            gmail_call_wait(c, gmail_api_draft_find(c->mailbox, c->message_id, on_found, c));
        else
            gmail_call_end(c, &r);
        break;
    case MAIL_REPLY:
        gmail_reply_begin(c);
        break;
    case MAIL_PROFILE:
        gmail_call_wait(c, gmail_api_profile(c->mailbox, on_profile, c));
        break;
    case MAIL_SIGNATURE:
        give_signature(c, id);
        break;
    }
}

/* --- whose mailbox --------------------------------------------------------------------------- */

static bool is_own(const struct gmail_call *c) {
    return strcasecmp(c->sender, c->mailbox) == 0;
}

static void refuse_sender(struct gmail_call *c, const char *why) {
    struct err e;

    err_set_field(&e, ERR_FORBIDDEN, "from",
                  "from: %s %s; add it in the settings of Gmail, under Accounts, \"Send mail as\", "
                  "and confirm it, or use another address",
                  c->sender, why);
    gmail_call_fail(c, &e);
}

/* A mailbox that does not exist cannot be impersonated: then the sender was to be an identity. */
static void refuse_mailbox(struct gmail_call *c, const struct err *e) {
    if (is_own(c) && strcasecmp(c->mailbox, env_sender()) != 0 && e->code == ERR_AUTH_ERROR &&
        strcmp(e->reason, "invalid_grant") == 0)
        refuse_sender(c, "is neither a send-as identity of GMAIL_USER nor a mailbox of its own");
    else
        gmail_call_fail(c, e);
}

static void on_identities(const struct gmail_identities *ids, const struct err *e, void *arg);

static void take_identities(struct gmail_call *c, const struct gmail_identities *ids,
                            const struct err *e) {
    const struct gmail_identity *id = gmail_sendas_find(ids, c->sender);

    if (e->code != ERR_NONE) {
        refuse_mailbox(c, e);
    } else if (id != NULL ? id->accepted : !ids->readable && is_own(c)) {
        proceed(c, id);
    } else if (id != NULL) {
        refuse_sender(c, "has not been confirmed as a send-as identity");
    } else if (is_own(c)) {
        refuse_sender(c, "is not an address of its mailbox that Gmail sends as");
    } else {
        c->mailbox = c->sender;
        gmail_sendas_read(c->mailbox, &c->wait, on_identities, c);
    }
}

/* Others may wait for them, too. */
static void on_identities(const struct gmail_identities *ids, const struct err *e, void *arg) {
    struct gmail_call *c = arg;
    const struct log_scope *scope = log_hold_too(c->scope);
    const struct log_scope *before = log_enter(scope);

    take_identities(c, ids, e);
    log_enter(before);
    log_release(scope);
}

/* --- the backend ----------------------------------------------------------------------------- */

static int check(const struct mail_request *rq, struct err *e) {
    const char *address = rq->mailbox != NULL ? rq->mailbox : rq->sender;

    if (strlen(address) >= MAIL_ADDRESS_SIZE)
        return err_set_field(e, ERR_INVALID_FIELD, "from", "from: the address is too long");
    if (rq->thread_id != NULL && strlen(rq->thread_id) >= MAIL_ID_SIZE)
        return err_set_field(e, ERR_INVALID_FIELD, "thread_id", "thread_id: is too long");
    return 0;
}

static struct mail_call *gmail_start(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct mail_reply refusal = {0};
    struct gmail_call *c = NULL;

    if (check(rq, &refusal.err) == 0 && (c = gmail_call_new(rq, done, arg)) == NULL)
        err_set(&refusal.err, ERR_INTERNAL_ERROR, "out of memory");
    if (c == NULL) {
        done(&refusal, arg);
        return NULL;
    }
    c->starting = true;
    if (rq->mailbox != NULL || rq->verb == MAIL_PROFILE)
        proceed(c, NULL);
    else
        gmail_sendas_read(c->mailbox, &c->wait, on_identities, c);
    c->starting = false;
    if (!c->ended)
        return &c->call;
    gmail_call_free(c);
    return NULL;
}

/* What waits for identities or in line has surely not left. */
static bool gmail_cancel(struct mail_call *call) {
    struct gmail_call *c = CONTAINER_OF(call, struct gmail_call, call);
    bool may_leave = c->google != NULL && mail_acts(c->verb);

    google_cancel(&c->google);
    gmail_sendas_cancel(&c->wait);
    gmail_line_leave(&c->place);
    gmail_call_free(c);
    return may_leave;
}

static int gmail_init(struct err *e) {
    (void)e;
    warned = false;
    gmail_reply_reset();
    return 0;
}

static void gmail_fini(void) {
    gmail_line_fini();
    gmail_sendas_fini();
}

const struct mail_backend gmail_backend = {
    .init = gmail_init,
    .fini = gmail_fini,
    .start = gmail_start,
    .cancel = gmail_cancel,
    .line = gmail_line_look,
};
