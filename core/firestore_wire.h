/*
 * firestore_wire.h - what is said to Firestore (REST v1) and what it answers.
 *
 * What is written is text from the start, for it may be large; other bodies are trees, handed out
 * as new references, and NULL when out of memory.  Names are whole:
 * "projects/P/databases/D/documents/collection/id".
 *
 * Every document that is written here has one member more than its owner knows,
 * FIRESTORE_WIRE_OWN: {"write": tag of the last write, "parts": where its parts are}.  By the tag a
 * write whose answer was lost is recognised, and every write changes the version.
 *
 * Pure functions.
 */
#ifndef FIRESTORE_WIRE_H
#define FIRESTORE_WIRE_H

#include "base.h"
#include "blob.h"
#include "buf.h"
#include "err.h"
#include "store.h"

#define FIRESTORE_WIRE_OWN       "_paraph"
#define FIRESTORE_WIRE_BELOW_MAX 300 /* documents that firestore_wire_below() finds */

/* --- writes ---------------------------------------------------------------------------------- */

/* The body of a commit is text, to which its writes are added; the end is NULL when out of memory.
 * `fields` are as firestore_value_add_members() writes them, a mask and transforms are lists that
 * the functions below have begun as "", and `version` is the precondition (NULL: it exists). */
void firestore_wire_begin(struct buf *body);
void firestore_wire_create(struct buf *body, const char *name, const char *fields);
void firestore_wire_put(struct buf *body, const char *name, const char *fields); /* in any case */
void firestore_wire_update(struct buf *body, const char *name, const char *fields, const char *mask,
                           const char *version, const char *transforms);
struct blob *firestore_wire_end(struct buf *body);

void firestore_wire_delete(struct buf *body, const char *name, const char *version); /* or NULL */

/* Changes nothing (it takes a member away that a slice does not have), and fails the commit unless
 * the document exists. */
void firestore_wire_touch(struct buf *body, const char *name);

/* The beginning of a write of a document, for who adds ,"fields":…}} to it. */
void firestore_wire_document(struct buf *body, const char *name);

/* A mask grows by the member `name`, or by `sub` in it. */
void firestore_wire_mask_add(struct buf *mask, const char *name, const char *sub);

/* Transforms grow by one that adds one to a member, or that appends a value to it. */
void firestore_wire_add_one(struct buf *transforms, const char *member);
int firestore_wire_append(struct buf *transforms, const char *member, const json_t *value,
                          struct err *e);

/* --- other requests -------------------------------------------------------------------------- */

/* batchGet: whole documents, or of each just the member `only`. */
json_t *firestore_wire_get(json_t *names, const char *only);

/* runQuery below all documents: those whose member `where` (NULL: all) is the text `is`, newest
 * first, from behind `cursor` (or NULL). */
json_t *firestore_wire_newest(const char *collection, const char *where, const char *is,
                              const json_t *cursor, unsigned limit);

/* runAggregationQuery: how many of those there are, up to `most`. */
json_t *firestore_wire_how_many(const char *collection, const char *where, const char *is,
                                unsigned most);

/* runQuery below one document: the names of those in `collection`, or with NULL of all, at any
 * depth. */
json_t *firestore_wire_below(const char *collection);

/* --- answers --------------------------------------------------------------------------------- */

/* The document of this name in an answer of batchGet: 1 and *document (borrowed); 0: there is
 * none; -1. */
int firestore_wire_find(const json_t *answer, const char *name, const json_t **document,
                        struct err *e);

/* The next document of an answer of runQuery: 1 and *document (borrowed); 0: no more; -1.  *at
 * begins as 0. */
int firestore_wire_next(const json_t *answer, size_t *at, const json_t **document, struct err *e);

/* The number in an answer of runAggregationQuery. */
int firestore_wire_number(const json_t *answer, unsigned *n, struct err *e);

const char *firestore_wire_name(const json_t *document); /* "" if it has none */

/* Its version and members, with FIRESTORE_WIRE_OWN apart in *own (NULL if it has none). */
int firestore_wire_read(const json_t *document, char version[STORE_VERSION_SIZE], json_t **fields,
                        json_t **own, struct err *e);

/* The version that the first write of a commit gave. */
int firestore_wire_written(const json_t *answer, char version[STORE_VERSION_SIZE], struct err *e);

/* Was a commit refused for the state that a document is in, or is not in? */
bool firestore_wire_is_refusal(const json_t *answer);

/* If a listing by a member was refused for want of an index: true, and *e names the index and how
 * to make it, or where to see how far it is. */
bool firestore_wire_index_err(const json_t *answer, const char *collection, const char *where,
                              struct err *e);

/* --- places in a listing --------------------------------------------------------------------- */

/* Behind everything that was created at this time or later, as startAt has it. */
json_t *firestore_wire_before(const char *time);

/* The place of a document in the listing, as startAt has it; NULL and *e. */
json_t *firestore_wire_cursor(const json_t *document, struct err *e);

/* A cursor as opaque text, and back; the name of its document is `prefix` and an id.  What is no
 * such text is ERR_INVALID_FIELD. */
char *firestore_wire_token(const json_t *cursor, const char *prefix, struct err *e);
json_t *firestore_wire_token_read(const char *token, const char *prefix, struct err *e);

/* A created_at that is no time may be of any size, and is not in the text.  The name of the
 * document that a cursor lacks it of; NULL: it is whole. */
const char *firestore_wire_cursor_lacks(const json_t *cursor);

#endif
