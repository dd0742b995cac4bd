#include "hash.h"

#include <string.h>

#define FACTOR UINT64_C(0x9E3779B97F4A7C15) /* odd, so that no bit is lost */

/* Each bit of both moves about half of the bits; twice, for the highest bit of a product follows
 * the highest of its factor, whatever the others are. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    hash ^= word;
    hash = (hash ^ hash >> 32) * FACTOR;
    hash = (hash ^ hash >> 29) * FACTOR;
    return hash ^ hash >> 32;
}

uint64_t hash_bytes(uint64_t before, const void *p, size_t n) {
    const unsigned char *bytes = p;
    uint64_t hash = mix(before, n), word = 0;

    for (; n >= sizeof(word); bytes += sizeof(word), n -= sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    if (n > 0)
        memcpy(&word, bytes, n);
    hash = mix(mix(hash, word), 0);
    return hash != 0 ? hash : 1;
}
