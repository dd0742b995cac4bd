#include "throttle.h"

#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "hash.h"

/* A key may be in any of the buckets of its set, which its hash names. */
#define SETS     512
#define SET_SIZE 8
#define NEVER_MS (3600 * (uint64_t)1000) /* to wait at a rate of nothing */

struct bucket {
    uint64_t key; /* its hash; 0: free */
    uint64_t filled_ms;
    double tokens; /* at that moment */
};

struct throttle {
    uint64_t seed; /* so that keys that share a bucket are not the same everywhere */
    struct bucket buckets[SETS][SET_SIZE];
};

struct throttle *throttle_new(void) {
    struct throttle *t = calloc(1, sizeof(*t));

    if (t != NULL)
        crypto_random(&t->seed, sizeof(t->seed));
    return t;
}

void throttle_free(struct throttle *t) {
    free(t);
}

/* The bucket of a key, as full as it is by now. */
static struct bucket *bucket_of(struct throttle *t, struct throttle_rate rate, const void *key,
                                size_t n, uint64_t now_ms) {
    uint64_t h = hash_bytes(t->seed, key, n);
    struct bucket *set = t->buckets[h % SETS], *b = &set[0];

    for (size_t i = 0; i < SET_SIZE; i++) {
        if (set[i].key == h) {
            b = &set[i];
            break;
        }
        if (set[i].filled_ms < b->filled_ms)
            b = &set[i];
    }
    if (b->key != h)
        *b = (struct bucket){h, now_ms, rate.burst};
    b->tokens += rate.per_second * (double)(now_ms - b->filled_ms) / 1000;
    if (b->tokens > rate.burst)
        b->tokens = rate.burst;
    b->filled_ms = now_ms;
    return b;
}

static uint64_t wait_for(const struct bucket *b, struct throttle_rate rate) {
    double ms;

    if (b->tokens >= 1)
        return 0;
    ms = rate.per_second > 0 ? (1 - b->tokens) * 1000 / rate.per_second : (double)NEVER_MS;
    return ms < (double)NEVER_MS ? (uint64_t)ms + 1 : NEVER_MS;
}

uint64_t throttle_take(struct throttle *t, struct throttle_rate rate, const void *key, size_t n,
                       uint64_t now_ms) {
    struct bucket *b = bucket_of(t, rate, key, n, now_ms);
    uint64_t wait = wait_for(b, rate);

    if (wait == 0)
        b->tokens -= 1;
    return wait;
}
