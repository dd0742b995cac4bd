/*
 * services.h - all that scripts call on: fetch, credentials, store and mailbox, made ready
 * together.
 */
#ifndef SERVICES_H
#define SERVICES_H

#include "err.h"

/* After loop_init().  -1: one of them cannot be; *step names it, and nothing is left open. */
int services_init(const char **step, struct err *e);
void services_fini(void);

/* For what only reads: a store that is not there would be made.  -1: there is none. */
int services_need_store(struct err *e);

#endif
