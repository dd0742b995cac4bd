/*
 * gmail_sendas.h - who a mailbox may write as, and with which signature: settings.sendAs, cached.
 *
 * Read once for however many ask, and again in the background when it is old; what cannot be read
 * again stays.  Gmail replaces a From that is no accepted identity without a word, so every send
 * asks here first: from the cache that costs nothing.
 *
 * A wait is part of its owner's own struct, zeroed before its first use.  done() is called once,
 * possibly before gmail_sendas_read() returns, unless gmail_sendas_cancel() came first; the
 * identities are valid inside it only.
 */
#ifndef GMAIL_SENDAS_H
#define GMAIL_SENDAS_H

#include "base.h"
#include "err.h"

#define GMAIL_SENDAS_FRESH_S   300  /* older ones are read again while they are used */
#define GMAIL_SENDAS_RETRY_S   30   /* after a failure */
#define GMAIL_SENDAS_BOXES_MAX 1000 /* mailboxes; of more, the longest unused is forgotten */

struct gmail_identity {
    char *address;   /* bare, as address.h has it */
    char *signature; /* HTML, "" for none */
    bool accepted;   /* false: it waits for its owner to confirm it */
};

struct gmail_identities {
    struct gmail_identity *v;
    size_t n;
    bool readable; /* false: the scopes do not allow to read them */
};

/* The identity of that address, or NULL. */
const struct gmail_identity *gmail_sendas_find(const struct gmail_identities *ids,
                                               const char *address);

/* e->code ERR_NONE: there are identities, or they are not readable. */
typedef void gmail_sendas_fn(const struct gmail_identities *ids, const struct err *e, void *arg);

struct gmail_sendas_wait {
    struct gmail_sendas_wait *next, **link; /* link NULL: not waiting */
    gmail_sendas_fn *done;
    void *arg;
};

void gmail_sendas_read(const char *mailbox, struct gmail_sendas_wait *w, gmail_sendas_fn *done,
                       void *arg);
void gmail_sendas_cancel(struct gmail_sendas_wait *w); /* harmless when not waiting */

/* Forget everything; nobody waits any more. */
void gmail_sendas_fini(void);

#endif
