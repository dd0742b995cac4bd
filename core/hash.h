/*
 * hash.h - a hash that tells things apart: for tables, and for what may have changed.
 *
 * It is fast, and no more: whoever chooses the bytes can find others with the same hash, which is
 * harder where it begins at a secret.  What must not be forged takes crypto.h.
 */
#ifndef HASH_H
#define HASH_H

#include "base.h"

/* Of n bytes, and of what came before them, which gave `before`: at first any number.  Never 0,
 * which can mean that there is none. */
uint64_t hash_bytes(uint64_t before, const void *p, size_t n);

#endif
