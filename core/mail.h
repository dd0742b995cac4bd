/*
 * mail.h - letting a message out: one interface, two backends (Maildir outbox, Gmail).
 *
 * Ownership as in store.h: one done() or mail_cancel(); the request is borrowed until mail_start()
 * returns.
 *
 * Whoever would have to wait beyond the deadline, since the backend limits the rate of a mailbox,
 * gets ERR_RATE_LIMITED at once, with retry_after.
 *
 * A mail that must leave once at most leaves as a draft of the backend: DRAFT_CREATE puts it there
 * and sends nothing; DRAFT_SEND consumes it, atomically, so that whoever lost the answer finds out
 * with DRAFT_GET: what is gone was sent, what is there was not.  SEND has no such memory.
 */
#ifndef MAIL_H
#define MAIL_H

#include "base.h"
#include "blob.h"
#include "err.h"

struct scratch;

#define MAIL_ID_SIZE      128 /* of messages, threads and drafts */
#define MAIL_ADDRESS_SIZE 256

enum mail_verb {
    MAIL_SEND,         /* the message leaves */
    MAIL_SIGNATURE,    /* the HTML signature of a sender */
    MAIL_REPLY,        /* what makes a message an answer: its headers and its thread */
    MAIL_PROFILE,      /* is there such a mailbox, and may we use it? */
    MAIL_DRAFT_CREATE, /* the message is ready to leave */
    MAIL_DRAFT_SEND,   /* it leaves; ERR_NOT_FOUND if there is no such draft (any more) */
    MAIL_DRAFT_GET,    /* is it still there? */
    MAIL_DRAFT_DELETE, /* it never leaves, if it was still there */
    MAIL_DRAFT_FIND    /* the drafts with this Message-ID */
};

enum mail_fate { MAIL_FATE_UNKNOWN, MAIL_FATE_SENT, MAIL_FATE_DELETED };

#define MAIL_FOUND_MAX 8 /* drafts that one DRAFT_FIND gives */

struct mail_request {
    enum mail_verb verb;
    struct scratch *scratch;       /* scratch.h: in place of the real mailboxes; NULL: these */
    const char *sender;            /* bare address: who writes.  All but those of a draft */
    struct blob *message;          /* SEND, DRAFT_CREATE: RFC 5322 bytes */
    const char *const *recipients; /* SEND, DRAFT_CREATE: bare addresses of To, Cc and Bcc */
    size_t nrecipients;
    const char *key;         /* DRAFT_*: the UUID in X-Paraph-Id */
    const char *message_id;  /* DRAFT_FIND: without <> */
    const char *draft_id;    /* DRAFT_SEND, _GET, _DELETE: what DRAFT_CREATE gave */
    const char *mailbox;     /* the same */
    const char *thread_id;   /* SEND, DRAFT_CREATE, REPLY: thread to join, or NULL.  DRAFT_SEND,
                                _GET: what DRAFT_CREATE gave */
    const char *in_reply_to; /* REPLY: Message-ID without <>, or the backend's id, or NULL */
    uint64_t deadline_ms;    /* of loop_now_ms(): when nobody waits for it any more; 0: none */
};

struct mail_reply {
    struct err err;        /* code ERR_NONE: success */
    bool unknown;          /* SEND, DRAFT_SEND, DRAFT_CREATE failed, but may have been done */
    bool exists;           /* DRAFT_GET: it is still there.  DRAFT_DELETE: it was */
    enum mail_fate fate;   /* DRAFT_GET, if it is gone */
    char id[MAIL_ID_SIZE]; /* SEND, DRAFT_SEND: of the message.  DRAFT_CREATE: of the
                              draft, "" where drafts are not possible.  DRAFT_GET, if it
                              is gone: of the message it became, "" if not known */
    char thread_id[MAIL_ID_SIZE];    /* the same; and REPLY: the thread to join, or "" */
    char mailbox[MAIL_ADDRESS_SIZE]; /* DRAFT_CREATE, DRAFT_FIND, PROFILE */
    size_t nfound;
    char (*found)[MAIL_ID_SIZE];    /* DRAFT_FIND: ids of drafts; see mail_reply_add() */
    char *signature;                /* SIGNATURE: HTML, "" for none */
    char *in_reply_to, *references; /* REPLY: as mime.h has them; NULL: none */
};
/* done() may take the last four, and leaves NULL in their place. */

typedef void mail_done_fn(struct mail_reply *reply, void *arg);

/* For done(): the whole reply in a block of its own, the last four taken.  NULL: out of memory. */
struct mail_reply *mail_reply_take(struct mail_reply *reply);
void mail_reply_free(struct mail_reply *reply); /* NULL-safe */

int mail_init(struct err *e); /* makes ready the backend that env names */
void mail_fini(void);         /* fails what is still under way, with done() */

struct mail_call;

/* NULL when the operation has ended already (done was called).  Whoever asks: under NO_SEND
 * nothing that lets mail out is started (ERR_NO_SEND), and nobody is written for or read of but
 * whom mail_check_sender() knows. */
struct mail_call *mail_start(const struct mail_request *rq, mail_done_fn *done, void *arg);

/* NULL-safe, sets *cp to NULL.  True: what it was to do may happen all the same, or have happened.
 */
bool mail_cancel(struct mail_call **cp);

/* ERR_FORBIDDEN unless the bare address is the default sender or ALLOWED_SENDERS names it. */
int mail_check_sender(const char *address, struct err *e);

/* What waits before the mailbox of the default sender, in this process.  False: the backend lets
 * out as many as come. */
struct mail_line {
    unsigned under_way, waiting;
    uint64_t blocked_ms; /* for how long it lets nothing out */
};
bool mail_line(struct mail_line *line);

/* --- for the backends ------------------------------------------------------------------------ */

/* What a call under way begins with, whatever the backend keeps behind it. */
struct mail_call {
    mail_done_fn *done;
    void *arg;
    struct mail_call *next, **link; /* mail.c's; NULL before its start has returned */
};

/* fini has no call to care for any more. */

/* Is it one that lets a mail out, or puts one where it can leave from? */
bool mail_acts(enum mail_verb verb);

struct mail_backend {
    int (*init)(struct err *e);
    void (*fini)(void); /* NULL: nothing to do */
    struct mail_call *(*start)(const struct mail_request *rq, mail_done_fn *done, void *arg);
    bool (*cancel)(struct mail_call *call);
    struct mail_line (*line)(const char *mailbox); /* NULL: there is none */
};

/* How a call ends that was not cancelled: done() is called. */
void mail_end(struct mail_call *c, struct mail_reply *reply);

/* One more draft that DRAFT_FIND has found; those beyond MAIL_FOUND_MAX are left out.  Without
 * memory it fails. */
void mail_reply_add(struct mail_reply *reply, const char *id, size_t n);

/* Free what done() has left of a reply, but not the reply itself. */
void mail_reply_fini(struct mail_reply *reply);

#endif
