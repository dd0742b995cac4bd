#include "blob.h"

#include <stdlib.h>
#include <string.h>

struct blob *blob_wrap(const char *data, size_t len, void (*release)(void *), void *owner) {
    struct blob *b = malloc(sizeof(*b));

    if (b == NULL)
        return NULL;
    *b = (struct blob){.data = data, .len = len, .refs = 1, .release = release, .owner = owner};
    return b;
}

struct blob *blob_own(char *data, size_t len) {
    return blob_wrap(data, len, free, data);
}

struct blob *blob_copy(const void *data, size_t len) {
    char *copy = malloc(len + 1);
    struct blob *b;

    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    if ((b = blob_own(copy, len)) == NULL)
        free(copy);
    return b;
}

static void release_whole(void *owner) {
    blob_unref(owner);
}

/* A slice of a slice is one of the whole: no chain grows that somebody has to walk. */
struct blob *blob_slice(struct blob *of, size_t at, size_t n) {
    struct blob *whole = of->release == release_whole ? of->owner : of;
    struct blob *slice = blob_wrap(of->data + at, n, release_whole, whole);

    if (slice != NULL)
        blob_ref(whole);
    return slice;
}

struct blob *blob_ref(struct blob *b) {
    b->refs++;
    return b;
}

void blob_unref(struct blob *b) {
    if (b == NULL || --b->refs > 0)
        return;
    if (b->release != NULL)
        b->release(b->owner);
    free(b);
}
