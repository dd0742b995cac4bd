/*
 * clock.h - the wall clock, with its texts, and a clock that never steps.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "base.h"

#define CLOCK_TEXT_SIZE 32

/* Microseconds since 1970. */
int64_t clock_now_us(void);

/* Microseconds since some moment in the past; never goes back. */
uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ms(void);

/* "2026-03-01T09:30:00.000000Z" */
void clock_format(char out[CLOCK_TEXT_SIZE], int64_t us);

/* RFC 3339, any offset and precision (what is finer than microseconds is dropped); -1 if it is
 * none. */
int clock_parse(const char *s, size_t n, int64_t *us);

/* A date of HTTP (RFC 9110 §5.6.7, the obsolete forms too); -1 if it is none. */
int clock_parse_http(const char *s, int64_t *us);

#endif
