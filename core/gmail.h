/*
 * gmail.h - the way out through Gmail, as mail.h has it.
 *
 * Whose mailbox a message leaves from: GMAIL_USER's, if the sender is one of its accepted send-as
 * identities.  Otherwise the sender's own, if ALLOWED_SENDERS names him: it is impersonated then,
 * and must itself list the address as an identity.  A sender who is neither is refused
 * (ERR_FORBIDDEN, field "from"), since Gmail would replace the address without a word.  Where the
 * scopes do not allow to read identities, a mailbox writes as its own address alone.
 *
 * What a narrow GMAIL_SCOPES cannot do is said once in the log: no signature, no drafts (then
 * DRAFT_CREATE gives the id ""), no headers of what is answered.
 *
 * mail_cancel() of a send that waits in line takes it out; of one that is under way it does not
 * call it back.
 */
#ifndef GMAIL_H
#define GMAIL_H

#include "mail.h"

extern const struct mail_backend gmail_backend;

#endif
