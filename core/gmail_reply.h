/*
 * gmail_reply.h - what makes a message an answer in Gmail: its thread, and In-Reply-To and
 * References with real Message-IDs (RFC 5322 §3.6.4).
 *
 * The message that is answered is looked for where the request points: in the thread, if it names
 * one (the last message, unless in_reply_to says which); by Gmail's id; by its Message-ID.  A
 * Message-ID that the mailbox does not know, or that may not be looked for, is taken as it is.
 */
#ifndef GMAIL_REPLY_H
#define GMAIL_REPLY_H

#include "gmail_call.h"

/* MAIL_REPLY, once the mailbox is known: fill in_reply_to, references, thread_id, and end. */
void gmail_reply_begin(struct gmail_call *c);

void gmail_reply_reset(void); /* forget what has been warned of */

#endif
