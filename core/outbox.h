/*
 * outbox.h - the embedded way out: a Maildir, {DATA_DIR}/outbox/{tmp,new,cur}, from which another
 * program (or a person) takes the mail.
 *
 * A message is written and fsynced in tmp/, then linked into new/ as "<id>.paraph", with a fresh
 * UUID as its id.  A draft stays in tmp/ as "<key>.<fresh UUID>.draft" until it is sent: then it is
 * renamed into new/ as "<key>.paraph".  Like one of Gmail's it can be sent once, and is gone from
 * tmp/ from that moment on, whoever asks and after whatever crash.  The files are touched on
 * threads of the pool, never on the loop.
 *
 * At start what is missing of the directories is made, and what a crash left in tmp/ is removed,
 * but for drafts.  What is cancelled may still happen.  Failures are ERR_STORE_ERROR, and say which
 * directory and what to do.
 *
 * Recipients tempfail@ and permfail@ at .test domains (RFC 2606) rehearse refusals: ERR_GMAIL_ERROR
 * before anything is written, with retry_after if it is for now.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "crypto.h"
#include "mail.h"

/* Operations on files under way at once; one more is refused with ERR_OVERLOADED. */
#define OUTBOX_WORKS_MAX 256

extern const struct mail_backend outbox_backend;

/* --- what a mailbox that is none of ours does, too (scratch_mail.h) -------------------------- */

/* A key as ids have it: one UUID, one spelling.  -1: it is none. */
int outbox_key(char lower[CRYPTO_UUID_SIZE], const char *key, struct err *e);

/* The key in the id of a draft; -1: it is no such id. */
int outbox_draft_key(char key[CRYPTO_UUID_SIZE], const char *id, struct err *e);

/* The refusal that one of the recipients rehearses: -1, or 0 if none does. */
int outbox_rehearse(const struct mail_request *rq, struct err *e);

/* SIGNATURE, REPLY, PROFILE.  There is no mailbox to look into: the request's own words are taken
 * for true. */
int outbox_answer(const struct mail_request *rq, struct mail_reply *reply);

#endif
