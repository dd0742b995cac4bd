/*
 * gmail_call.h - a call of the Gmail backend under way: its life, and what it waits for.
 *
 * A call waits for one thing at a time: identities, its turn in line, or an answer of Gmail.
 */
#ifndef GMAIL_CALL_H
#define GMAIL_CALL_H

#include "gmail_line.h"
#include "gmail_sendas.h"
#include "google.h"
#include "log.h"
#include "mail.h"

struct gmail_call {
    struct mail_call call;
    enum mail_verb verb;
    bool starting, ended; /* ended while starting: whoever started it frees it */
    struct gmail_sendas_wait wait;
    struct gmail_place place;
    struct google_call *google;    /* or NULL */
    const struct log_scope *scope; /* held, of who asked for it: others call it up */
    struct blob *message;          /* of the request, or NULL */
    char *sender, *key, *message_id, *draft_id, *draft_mailbox; /* NULL: none */
    char *thread_id, *in_reply_to;                              /* the same */
    const char *mailbox; /* whose: that of the draft, GMAIL_USER, or the sender's own */
};

/* A copy of the request; NULL when out of memory. */
struct gmail_call *gmail_call_new(const struct mail_request *rq, mail_done_fn *done, void *arg);
void gmail_call_free(struct gmail_call *c);

/* done() is called with the reply, of which nothing is left then; do not touch the call any more.
 */
void gmail_call_end(struct gmail_call *c, struct mail_reply *reply);
void gmail_call_fail(struct gmail_call *c, const struct err *e);

/* What gmail_api_x() returned; NULL if the call has ended, or gone on, already. */
void gmail_call_wait(struct gmail_call *c, struct google_call *google);

#endif
