/*
 * firestore_parts.h - the parts of a document, cut into slices that fit into Firestore's.
 *
 * A document holds 1 MiB there, so a part is cut into slices of at most 900,000 bytes, each a
 * document {document}/parts/{set}-{part}-{slice}.  The document itself names its set and the sizes
 * of the parts, and is written after the slices, so that a set is seen whole or not at all.  A set
 * that no document names was left by somebody who did not come to the end.
 *
 * Pure functions.  What returns a tree returns a new reference, or NULL when out of memory.
 */
#ifndef FIRESTORE_PARTS_H
#define FIRESTORE_PARTS_H

#include "base.h"
#include "blob.h"
#include "err.h"
#include "store.h"

#define FIRESTORE_PARTS_COLLECTION "parts"
#define FIRESTORE_PARTS_GROUP      4 /* slices in one exchange: the emulator takes 4 MiB */
#define FIRESTORE_PARTS_BYTES_MAX  (64 * MIB)

struct firestore_parts {
    char set[STORE_VERSION_SIZE]; /* "": there are none */
    size_t n;
    uint32_t sizes[STORE_PARTS_MAX]; /* bytes */
};

/* Describe what is to be written; ERR_PAYLOAD_TOO_LARGE. */
int firestore_parts_plan(struct firestore_parts *p, const char *set, struct blob *const *parts,
                         size_t n, struct err *e);

/* As it is kept in the document: plain JSON, and back (NULL: no parts). */
json_t *firestore_parts_encode(const struct firestore_parts *p);
int firestore_parts_decode(struct firestore_parts *p, const json_t *plain, struct err *e);

size_t firestore_parts_slices(const struct firestore_parts *p);

/* The names of the slices from..from+n-1, as many of them as there are. */
json_t *firestore_parts_names(const struct firestore_parts *p, const char *document, size_t from,
                              size_t n);

/* The body of a commit that writes one group of slices; NULL when out of memory. */
struct blob *firestore_parts_body(const struct firestore_parts *p, const char *document,
                                  struct blob *const *parts, size_t from);

/* Room for all parts. */
int firestore_parts_alloc(const struct firestore_parts *p, struct store_reply *r);

/* Put a group of slices from an answer of batchGet in their places.  1: done; 0: one is missing;
 * -1. */
int firestore_parts_take(const struct firestore_parts *p, const char *document,
                         const json_t *answer, size_t from, struct store_reply *r, struct err *e);

#endif
