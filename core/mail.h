/*
 * mail.h - letting a message out: one interface, two backends (Maildir outbox, Gmail).
 *
 * Ownership as in store.h: one done() or mail_cancel(), after which the mail may leave all the
 * same; the request is borrowed until mail_start() returns.
 */
#ifndef MAIL_H
#define MAIL_H

#include "base.h"
#include "blob.h"
#include "err.h"

#define MAIL_ID_SIZE 128

enum mail_verb {
    MAIL_SEND,     /* the message leaves */
    MAIL_SIGNATURE /* the HTML signature of a sender */
};

struct mail_request {
    enum mail_verb verb;
    const char *sender;            /* bare address: whose mailbox */
    struct blob *message;          /* SEND: RFC 5322 bytes */
    const char *key;               /* SEND: a UUID; twice the same key is one mail.  NULL: none */
    const char *thread_id;         /* SEND: thread to join, or NULL */
    const char *const *recipients; /* SEND: bare addresses of To, Cc and Bcc */
    size_t nrecipients;
};

struct mail_reply {
    struct err err;        /* code ERR_NONE: success */
    bool unknown;          /* SEND failed, but the mail may have left */
    char id[MAIL_ID_SIZE]; /* SEND: the backend's id of the message */
    char thread_id[MAIL_ID_SIZE];
    char *signature; /* SIGNATURE: HTML, "" for none; done() may take it */
};

typedef void mail_done_fn(struct mail_reply *reply, void *arg);

int mail_init(struct err *e); /* makes ready the backend that env names */
void mail_fini(void);

struct mail_call; /* the backend's own */

/* NULL when the operation has ended already (done was called).  Under NO_SEND every MAIL_SEND ends
 * with ERR_NO_SEND here, whoever asks. */
struct mail_call *mail_start(const struct mail_request *rq, mail_done_fn *done, void *arg);
void mail_cancel(struct mail_call **cp); /* NULL-safe, sets *cp to NULL */

/* --- for the backends ------------------------------------------------------------------------ */

struct mail_backend {
    int (*init)(struct err *e);
    void (*fini)(void); /* NULL: nothing to do */
    struct mail_call *(*start)(const struct mail_request *rq, mail_done_fn *done, void *arg);
    void (*cancel)(struct mail_call *call);
};

#endif
