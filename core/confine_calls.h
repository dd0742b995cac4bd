/*
 * confine_calls.h - which system calls a service may make (seccomp).
 */
#ifndef CONFINE_CALLS_H
#define CONFINE_CALLS_H

#include "base.h"

/* This thread and those that it begins from now on make no other calls than a service that starts.
 * 0, or -1 with errno. */
MUST_CHECK int confine_calls_to_service(void);

/* After it: nor those that only the start needs.  No new processes, no port to listen on. */
MUST_CHECK int confine_calls_to_requests(void);

#endif
