/*
 * throttle.h - how often something may happen: a bucket of tokens for each key, filled at a rate.
 *
 * Bounded: where there is no room for a new key, the bucket that has been left alone for longest is
 * forgotten, and with it what was taken from it.
 */
#ifndef THROTTLE_H
#define THROTTLE_H

#include "base.h"

struct throttle;

struct throttle_rate {
    double per_second;
    double burst; /* that a full bucket holds, at least 1 */
};

struct throttle *throttle_new(void); /* NULL: no memory */
void throttle_free(struct throttle *t);

/* Take a token from the bucket of a key (n bytes) at now_ms, of a clock that never steps.  0: there
 * was one; else none was taken, and there will be one in so many milliseconds. */
uint64_t throttle_take(struct throttle *t, struct throttle_rate rate, const void *key, size_t n,
                       uint64_t now_ms);

#endif
