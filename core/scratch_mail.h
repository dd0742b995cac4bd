/*
 * scratch_mail.h - the mailbox of a scratch: what each verb of mail.h does there.
 */
#ifndef SCRATCH_MAIL_H
#define SCRATCH_MAIL_H

#include "scratch.h"

struct scratch_mailbox {
    struct scratch_letter *first, **end; /* where the next one is hung */
    struct scratch_letter *deleted;
};

void scratch_mailbox_init(struct scratch_mailbox *m);
void scratch_mailbox_clear(struct scratch_mailbox *m);

/* Is, or was, one of its letters the draft of this request, or has its key? */
bool scratch_mailbox_knows(const struct scratch_mailbox *m, const struct mail_request *rq);

/* A letter that waits or leaves, or an answer.  Recipients rehearse refusals as in outbox.h. */
void scratch_mailbox_carry_out(struct scratch_mailbox *m, const struct mail_request *rq,
                               struct mail_reply *reply);

#endif
