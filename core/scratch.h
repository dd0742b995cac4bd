/*
 * scratch.h - what a generation has in place of the world: that of a test, or a rehearsal.
 *
 * A test has a store and a mailbox in memory, and a clock that stands still until it is set.  The
 * store is SQLite's, so that its rules are the very same ones; the mailbox keeps what was sent and
 * what waits there.  Every operation ends before its start returns, and none leaves the process,
 * nor touches the store and the mailbox that the service uses.  Nobody ever really waits: when all
 * that runs in it waits for the clock, the clock moves.
 *
 * A rehearsal lies over the world of the service: what it reads is what is there, and what it
 * writes and sends stays in memory and is there for it alone.  The clock and the brake are the real
 * ones.  It needs the real store and mailbox to be open, and what they refuse to read it refuses.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "mail.h"
#include "store.h"

#define SCRATCH_EPOCH_US 1767225600000000 /* 2026-01-01T00:00:00Z: the clock of a fresh one */

struct scratch;

/* With one reference, which is the caller's.  NULL: out of memory. */
struct scratch *scratch_new(void); /* of a test */
struct scratch *scratch_new_rehearsal(void);

struct scratch *scratch_ref(struct scratch *s); /* s; NULL-safe */
void scratch_unref(struct scratch *s); /* NULL-safe; no timer is left when the last one goes */

bool scratch_is_rehearsal(const struct scratch *s);
void scratch_refresh(struct scratch *s); /* that of a test: as new; but for the timers */

/* Of a rehearsal: how many documents are not as the real store has them. */
unsigned scratch_writes(const struct scratch *s);

/* --- the clock ------------------------------------------------------------------------------- */

int64_t scratch_now_us(const struct scratch *s);
uint64_t scratch_monotonic_us(const struct scratch *s);

/* Of a test: set the wall clock alone; let time pass on both. */
void scratch_set_now(struct scratch *s, int64_t us);
void scratch_advance(struct scratch *s, uint64_t us);

/* Call fn(arg) once, when ms have passed; fn stops the timer.  NULL: out of memory. */
struct scratch_timer *scratch_timer_start(struct scratch *s, uint64_t ms, void (*fn)(void *arg),
                                          void *arg);
void scratch_timer_stop(struct scratch_timer **tp); /* NULL-safe, sets *tp to NULL */

/* When all that runs in a test waits: the earliest timer ends, and the clock is there.  False if
 * there is no timer. */
bool scratch_wake(struct scratch *s);

/* --- the brake ------------------------------------------------------------------------------- */

/* NO_SEND of this world.  That of a test is its own, whatever that of the service is, and off until
 * it is set. */
void scratch_set_no_send(struct scratch *s, bool on);
bool scratch_no_send(const struct scratch *s);

/* --- failures -------------------------------------------------------------------------------- */

enum scratch_part { SCRATCH_STORE, SCRATCH_MAIL };

#define SCRATCH_ANY_VERB (-1)

/* How the next call of a part fails, in a test. */
struct scratch_failure {
    int verb; /* the next one of this verb, or SCRATCH_ANY_VERB */
    struct err err;
    bool unknown;  /* mail: it may have been done */
    bool happened; /* and it was: the answer is lost, not the call */
};

void scratch_fail_next(struct scratch *s, enum scratch_part part, const struct scratch_failure *f);

/* --- the mailbox ----------------------------------------------------------------------------- */

struct scratch_letter {
    struct scratch_letter *next; /* that came later */
    bool sent;                   /* else it is a draft */
    char id[MAIL_ID_SIZE];       /* of the message, or of the draft */
    char draft_id[MAIL_ID_SIZE]; /* of what is or was a draft, or "" */
    char thread_id[MAIL_ID_SIZE];
    char key[MAIL_ID_SIZE];
    char mailbox[MAIL_ADDRESS_SIZE];
    struct blob *message;
    char *recipients; /* bare addresses, a line each */
};

/* In the order in which they came to be what they are. */
const struct scratch_letter *scratch_letters(const struct scratch *s);

/* --- for store.c and mail.c ------------------------------------------------------------------ */

extern const struct store_backend scratch_store;
extern const struct mail_backend scratch_mail;

/* Is this request one that the real mailbox answers: it only looks, and at what was not made
 * here? */
bool scratch_asks_mailbox(const struct mail_request *rq);

#endif
