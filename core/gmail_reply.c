#include "gmail_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "gmail_api.h"
#include "gmail_text.h"
#include "log.h"
#include "mime.h"

static bool warned;

static bool is_message_id(const struct gmail_call *c) {
    return mime_is_message_id(c->in_reply_to, strlen(c->in_reply_to));
}

static bool is_gmail_id(const char *s) {
    return *s != '\0' && s[strspn(s, "0123456789abcdefABCDEF")] == '\0' && strlen(s) < MAIL_ID_SIZE;
}

/* --- ends ------------------------------------------------------------------------------------ */

static void refuse(struct gmail_call *c, const char *field, const char *why) {
    struct err e;

    err_set_field(&e, ERR_INVALID_FIELD, field, "%s: %s %s", field, why, c->mailbox);
    gmail_call_fail(c, &e);
}

/* The thread alone; "": not even that. */
static void end_with(struct gmail_call *c, const char *thread_id) {
    struct mail_reply r = {0};

    snprintf(r.thread_id, sizeof(r.thread_id), "%s", thread_id);
    gmail_call_end(c, &r);
}

/* in_reply_to, for a Message-ID, and the thread that was looked at, or "". */
static void take_as_it_is(struct gmail_call *c, const char *thread_id) {
    struct mail_reply r = {.in_reply_to = strdup(c->in_reply_to)};

    snprintf(r.thread_id, sizeof(r.thread_id), "%s", thread_id);
    if (r.in_reply_to == NULL)
        err_set(&r.err, ERR_INTERNAL_ERROR, "out of memory");
    gmail_call_end(c, &r);
}

/* Answer this message.  One without Message-ID is answered by its thread alone. */
static void answer(struct gmail_call *c, const json_t *message) {
    struct mail_reply r = {.in_reply_to = gmail_message_id(message)};

    gmail_read_text(r.thread_id, sizeof(r.thread_id), message, "threadId");
    if (r.in_reply_to != NULL && (r.references = gmail_references(message, r.in_reply_to)) == NULL)
        err_set(&r.err, ERR_INTERNAL_ERROR, "out of memory");
    gmail_call_end(c, &r);
}

static void do_without_reading(struct gmail_call *c) {
    if (c->in_reply_to != NULL && is_message_id(c)) {
        take_as_it_is(c, "");
    } else if (c->in_reply_to != NULL) {
        refuse(c, "in_reply_to",
               "the scopes in GMAIL_SCOPES do not allow to look up messages: give "
               "the Message-ID, or add gmail.readonly for");
    } else {
        if (!warned)
            LOG(LOG_WARNING, NULL, "answers leave without In-Reply-To and References",
                LOG_S("mailbox", c->mailbox),
                LOG_S("error", "the scopes do not allow to read threads: add "
                               "https://www.googleapis.com/auth/gmail.readonly to GMAIL_SCOPES"));
        warned = true;
        end_with(c, "");
    }
}

/* True: it failed, and the call has ended. */
static bool has_failed(struct gmail_call *c, const struct google_reply *reply, const char *field) {
    if (reply->err.code == ERR_NONE)
        return false;
    if (gmail_lacks_scope(reply->status, reply->err.reason)) {
        do_without_reading(c);
    } else if (reply->status == 404 || reply->status == 400) {
        if (c->thread_id == NULL && is_message_id(c))
            take_as_it_is(c, "");
        else
            refuse(c, field, "there is no such thing in the mailbox of");
    } else {
        gmail_call_fail(c, &reply->err);
    }
    return true;
}

/* --- in a thread ----------------------------------------------------------------------------- */

/* Is it the one that in_reply_to names, in either way? */
static bool is_named(const struct gmail_call *c, const json_t *message) {
    const char *id = json_string_value(json_object_get(message, "id"));
    char *message_id = gmail_message_id(message);
    bool named = (id != NULL && strcmp(id, c->in_reply_to) == 0) ||
                 (message_id != NULL && strcmp(message_id, c->in_reply_to) == 0);

    free(message_id);
    return named;
}

/* The last one, or the one that is named; drafts are not answered. */
static const json_t *choose(const struct gmail_call *c, const json_t *thread) {
    const json_t *message, *chosen = NULL;
    size_t i;

    json_array_foreach(json_object_get(thread, "messages"), i, message) {
        if (!gmail_has_label(message, "DRAFT") && (c->in_reply_to == NULL || is_named(c, message)))
            chosen = message;
    }
    return chosen;
}

static void on_thread(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    const json_t *message;

    c->google = NULL;
    if (has_failed(c, reply, "thread_id"))
        return;
    if ((message = choose(c, reply->json)) != NULL)
        answer(c, message);
    else if (c->in_reply_to == NULL)
        end_with(c, c->thread_id);
    else if (is_message_id(c))
        take_as_it_is(c, c->thread_id);
    else
        refuse(c, "in_reply_to", "there is no such message in that thread of");
}

/* --- by an id -------------------------------------------------------------------------------- */

static void on_message(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;

    c->google = NULL;
    if (has_failed(c, reply, "in_reply_to"))
        return;
    if (is_message_id(c) && !is_named(c, reply->json))
        take_as_it_is(c, ""); /* the search has found another one */
    else
        answer(c, reply->json);
}

static void on_found(struct google_reply *reply, void *arg) {
    struct gmail_call *c = arg;
    const json_t *first = json_array_get(json_object_get(reply->json, "messages"), 0);
    char id[MAIL_ID_SIZE];

    c->google = NULL;
    if (has_failed(c, reply, "in_reply_to"))
        return;
    if (gmail_read_text(id, sizeof(id), first, "id"))
        gmail_call_wait(c, gmail_api_message(c->mailbox, id, on_message, c));
    else
        take_as_it_is(c, "");
}

void gmail_reply_begin(struct gmail_call *c) {
    if (c->in_reply_to != NULL && !is_message_id(c) && !is_gmail_id(c->in_reply_to))
        refuse(c, "in_reply_to", "this is neither a Message-ID nor the id of a message of");
    else if (c->thread_id == NULL && c->in_reply_to == NULL)
        end_with(c, "");
    else if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_HEADERS))
        do_without_reading(c);
    else if (c->thread_id != NULL)
        gmail_call_wait(c, gmail_api_thread(c->mailbox, c->thread_id, on_thread, c));
    else if (!is_message_id(c))
        gmail_call_wait(c, gmail_api_message(c->mailbox, c->in_reply_to, on_message, c));
    else if (gmail_scopes_cover(env.gmail_scopes, GMAIL_SEARCH))
        gmail_call_wait(c, gmail_api_find(c->mailbox, c->in_reply_to, on_found, c));
    else
        take_as_it_is(c, "");
}

void gmail_reply_reset(void) {
    warned = false;
}
