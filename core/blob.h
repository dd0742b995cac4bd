/*
 * blob.h - immutable bytes with a count of holders: request bodies, attachments, built messages.
 *
 * What is large is held as a blob from the socket to the disk, so that it is never copied into a
 * Lua string.  All holders are on the loop thread, but for the explicit hand-over that store and
 * outbox make to their own threads, which only read.
 */
#ifndef BLOB_H
#define BLOB_H

#include "base.h"

struct blob {
    const char *data; /* followed by nothing: no NUL is promised */
    size_t len;
    unsigned refs;
    void (*release)(void *owner);
    void *owner;
};

/* A blob over bytes that `release(owner)` lets go of; NULL when out of memory (owner untouched). */
struct blob *blob_wrap(const char *data, size_t len, void (*release)(void *), void *owner);

/* A blob that owns a malloc'd block and frees it. */
struct blob *blob_own(char *data, size_t len);

/* A blob with its own copy of the bytes. */
struct blob *blob_copy(const void *data, size_t len);

/* A blob over n of its bytes, from `at` on, which holds the rest as well; NULL when out of memory.
 */
struct blob *blob_slice(struct blob *of, size_t at, size_t n);

struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL-safe */

#endif
