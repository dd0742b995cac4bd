/*
 * host.h - from a request to its task, and from the task to the reply; the drain at the end.
 */
#ifndef HOST_H
#define HOST_H

#include "err.h"

/* Serve with the live generation.  http must be listening. */
int host_init(struct err *e);

/* No new requests; the loop stops when those under way have been answered, after `ms` at the
 * latest. */
void host_drain(unsigned ms);

void host_fini(void);

#endif
