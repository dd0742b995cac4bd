/*
 * trace.h - the trace that a request belongs to, from the headers of who has begun it.
 */
#ifndef TRACE_H
#define TRACE_H

#include "base.h"
#include "log.h"

/* From `traceparent` (W3C Trace Context), else from `X-Cloud-Trace-Context`; false: neither is
 * there and as it should be. */
bool trace_read(struct log_trace *t, const char *traceparent, const char *cloud);

/* A new one, of the digits of a random UUID. */
void trace_make(struct log_trace *t, const char *uuid);

/* 32 hexadecimal digits in lower case, not all of them 0. */
bool trace_is_id(const char *s, size_t n);

#endif
