#include "scratch.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "env.h"
#include "loop.h"
#include "scratch_mail.h"
#include "scratch_over.h"
#include "sqlite_db.h"
#include "sqlite_docs.h"

struct scratch_timer {
    struct loop_timer *real; /* of a rehearsal, which is in no list; or NULL */
    struct scratch_timer *next, **link;
    uint64_t due_us; /* of the monotonic clock */
    void (*fn)(void *arg);
    void *arg;
};

struct scratch {
    unsigned refs;
    bool rehearsal;
    struct scratch_mailbox mailbox;
    struct scratch_over over; /* the store of a rehearsal; the rest is that of a test */
    int64_t base_us;          /* the wall clock when no time had passed */
    uint64_t elapsed_us;      /* since then */
    struct sqlite_docs *db;   /* NULL: nobody has asked for anything yet */
    bool no_send;
    struct scratch_failure failures[2]; /* by part; code ERR_NONE: none is due */
    struct scratch_timer *timers;       /* the earliest first */
};

static void clear(struct scratch *s) {
    sqlite_docs_close(s->db);
    s->db = NULL;
    scratch_over_clear(&s->over);
    scratch_mailbox_clear(&s->mailbox);
    s->no_send = false;
    memset(s->failures, 0, sizeof(s->failures));
}

void scratch_refresh(struct scratch *s) {
    clear(s);
    scratch_set_now(s, SCRATCH_EPOCH_US);
}

static struct scratch *create(bool rehearsal) {
    struct scratch *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->refs = 1;
    s->rehearsal = rehearsal;
    scratch_mailbox_init(&s->mailbox);
    scratch_refresh(s);
    return s;
}

struct scratch *scratch_new(void) {
    return create(false);
}

struct scratch *scratch_new_rehearsal(void) {
    return create(true);
}

struct scratch *scratch_ref(struct scratch *s) {
    if (s != NULL)
        s->refs++;
    return s;
}

void scratch_unref(struct scratch *s) {
    if (s == NULL || --s->refs > 0)
        return;
    clear(s);
    free(s);
}

bool scratch_is_rehearsal(const struct scratch *s) {
    return s->rehearsal;
}

unsigned scratch_writes(const struct scratch *s) {
    return scratch_over_writes(&s->over);
}

/* --- the clock ------------------------------------------------------------------------------- */

int64_t scratch_now_us(const struct scratch *s) {
    return s->rehearsal ? clock_now_us() : s->base_us + (int64_t)s->elapsed_us;
}

uint64_t scratch_monotonic_us(const struct scratch *s) {
    return s->rehearsal ? clock_monotonic_us() : s->elapsed_us;
}

void scratch_set_now(struct scratch *s, int64_t us) {
    s->base_us = us - (int64_t)s->elapsed_us;
}

void scratch_advance(struct scratch *s, uint64_t us) {
    s->elapsed_us += us;
}

/* Into the list, behind those that end before it. */
static void add_timer(struct scratch *s, struct scratch_timer *t) {
    struct scratch_timer **at = &s->timers;

    while (*at != NULL && (*at)->due_us <= t->due_us)
        at = &(*at)->next;
    t->next = *at;
    t->link = at;
    if (t->next != NULL)
        t->next->link = &t->next;
    *at = t;
}

static void on_time(void *arg) {
    struct scratch_timer *t = arg;

    t->fn(t->arg); /* stops t */
}

struct scratch_timer *scratch_timer_start(struct scratch *s, uint64_t ms, void (*fn)(void *arg),
                                          void *arg) {
    struct scratch_timer *t = malloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    *t = (struct scratch_timer){.due_us = s->elapsed_us + ms * 1000, .fn = fn, .arg = arg};
    if (!s->rehearsal)
        add_timer(s, t);
    else if ((t->real = loop_timer_start(ms, on_time, t)) == NULL)
        scratch_timer_stop(&t);
    return t;
}

void scratch_timer_stop(struct scratch_timer **tp) {
    struct scratch_timer *t = *tp;

    if (t == NULL)
        return;
    *tp = NULL;
    loop_timer_stop(&t->real);
    if (t->link != NULL) {
        *t->link = t->next;
        if (t->next != NULL)
            t->next->link = t->link;
    }
    free(t);
}

bool scratch_wake(struct scratch *s) {
    struct scratch_timer *t = s->timers;

    if (t == NULL)
        return false;
    if ((s->timers = t->next) != NULL)
        s->timers->link = &s->timers;
    t->link = NULL;
    if (t->due_us > s->elapsed_us)
        s->elapsed_us = t->due_us;
    t->fn(t->arg); /* stops t */
    return true;
}

/* --- the brake ------------------------------------------------------------------------------- */

void scratch_set_no_send(struct scratch *s, bool on) {
    s->no_send = on;
}

bool scratch_no_send(const struct scratch *s) {
    return s->rehearsal ? env.no_send : s->no_send;
}

/* --- failures -------------------------------------------------------------------------------- */

void scratch_fail_next(struct scratch *s, enum scratch_part part, const struct scratch_failure *f) {
    s->failures[part] = *f;
}

/* The failure of this call; code ERR_NONE: it does not fail. */
static struct scratch_failure take_failure(struct scratch *s, enum scratch_part part, int verb) {
    struct scratch_failure due = s->failures[part];

    if (due.err.code == ERR_NONE || (due.verb != SCRATCH_ANY_VERB && due.verb != verb))
        return (struct scratch_failure){0};
    s->failures[part] = (struct scratch_failure){0};
    return due;
}

/* --- the store ------------------------------------------------------------------------------- */

static void carry_out(struct scratch *s, const struct store_request *rq, struct store_reply *r) {
    if (s->db == NULL && (s->db = sqlite_docs_open(SQLITE_DB_MEMORY, 0, &r->err)) == NULL)
        return;
    if (sqlite_docs_reads(rq->verb))
        sqlite_docs_read(s->db, rq, r);
    else
        sqlite_docs_write_all(s->db, rq, 1, r);
}

static struct store_call *start_store(const struct store_request *rq, store_done_fn *done,
                                      void *arg) {
    struct scratch *s = rq->scratch;
    struct scratch_failure failure = take_failure(s, SCRATCH_STORE, (int)rq->verb);
    struct store_reply reply = {0};

    if (s->rehearsal)
        return scratch_over_start(&s->over, rq, done, arg);
    if (failure.err.code == ERR_NONE || failure.happened)
        carry_out(s, rq, &reply);
    if (failure.err.code != ERR_NONE) {
        store_reply_fini(&reply);
        reply.err = failure.err;
    }
    done(&reply, arg);
    store_reply_fini(&reply);
    return NULL;
}

/* Nothing to make ready; in a test nothing is ever under way. */
const struct store_backend scratch_store = {.start = start_store, .cancel = scratch_over_cancel};

/* --- the mailbox ----------------------------------------------------------------------------- */

const struct scratch_letter *scratch_letters(const struct scratch *s) {
    return s->mailbox.first;
}

bool scratch_asks_mailbox(const struct mail_request *rq) {
    const struct scratch *s = rq->scratch;

    switch (s->rehearsal ? rq->verb : MAIL_SEND) {
    case MAIL_SIGNATURE:
    case MAIL_REPLY:
    case MAIL_PROFILE:
        return true;
    case MAIL_DRAFT_GET:
    case MAIL_DRAFT_FIND:
        return !scratch_mailbox_knows(&s->mailbox, rq);
    default: /* it acts */
        return false;
    }
}

/* -1: it would act on a draft in the real mailbox. */
static int check_draft(const struct mail_request *rq, struct err *e) {
    const struct scratch *s = rq->scratch;

    if (!s->rehearsal || rq->draft_id == NULL || scratch_mailbox_knows(&s->mailbox, rq))
        return 0;
    return err_set(e, ERR_NO_SEND,
                   "a rehearsal leaves the drafts in the mailbox alone: this one is not %s; :live "
                   "does it",
                   rq->verb == MAIL_DRAFT_SEND ? "sent" : "deleted");
}

static void act(struct scratch *s, const struct mail_request *rq, struct mail_reply *reply) {
    if (check_draft(rq, &reply->err) == 0)
        scratch_mailbox_carry_out(&s->mailbox, rq, reply);
}

static struct mail_call *start_mail(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct scratch *s = rq->scratch;
    struct scratch_failure failure = take_failure(s, SCRATCH_MAIL, (int)rq->verb);
    struct mail_reply reply = {0};

    if (failure.err.code == ERR_NONE || failure.happened)
        act(s, rq, &reply);
    if (failure.err.code != ERR_NONE) {
        mail_reply_fini(&reply);
        reply = (struct mail_reply){.err = failure.err, .unknown = failure.unknown};
    }
    done(&reply, arg);
    mail_reply_fini(&reply);
    return NULL;
}

const struct mail_backend scratch_mail = {.start = start_mail};
