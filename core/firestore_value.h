/*
 * firestore_value.h - plain JSON to Firestore's typed values and back, field paths, names.
 *
 * To Firestore: null, booleans, strings, arrays and objects as they are; integers as
 * integerValue, reals as doubleValue.  At the top, a member *_at or *_since that holds an RFC 3339
 * text in UTC, from year 1 on, becomes a timestampValue, cut to microseconds.
 *
 * From Firestore: every timestampValue is an RFC 3339 text with 6 digits; a double that JSON has no
 * number for is the string "NaN", "Infinity" or "-Infinity"; bytes are their base64, a reference is
 * the name it refers to, a point is {"latitude", "longitude"}.  These read as plain JSON and are
 * not turned back when written.
 *
 * Firestore has no arrays directly in arrays: such a one is kept as {"[]": array}, and what would
 * then be taken for one as {"[]]": …} and so on.
 *
 * What Firestore cannot hold is ERR_INVALID_FIELD with its path: more than 20 levels, a member's
 * name that is empty, too long or reserved (__x__).
 *
 * Pure functions.
 */
#ifndef FIRESTORE_VALUE_H
#define FIRESTORE_VALUE_H

#include "base.h"
#include "buf.h"
#include "err.h"
#include "json_text.h"

#define FIRESTORE_VALUE_NAME_MAX 1500 /* bytes: of an id, of a member's name */

/* An object's members, each typed, as JSON text: the `fields` of a Document, without the braces. */
int firestore_value_add_members(struct buf *out, const json_t *members, struct err *e);

/* A value as it is typed in an array, which is a member of a document. */
int firestore_value_add_element(struct buf *out, const char *member, const json_t *value,
                                struct err *e);

/* The opposite of firestore_value_add_members(), and with the braces; NULL, as of a document
 * without fields, is {}.  What is no typed value is ERR_FIRESTORE_ERROR. */
json_t *firestore_value_decode(const json_t *fields, struct err *e);

/* One value, not at the top. */
json_t *firestore_value_decode_one(const json_t *typed, struct err *e);

/* A member's name as a segment of a field path: quoted with backticks unless it is simple. */
void firestore_value_add_path(struct buf *out, const char *name);

/* May it name a document or a collection? */
bool firestore_value_is_id(const char *id);

/* The address of a name ("projects/…/documents/…") and a method (":commit", or ""), each segment
 * percent-encoded. */
void firestore_value_add_url(struct buf *out, const char *base, const char *name,
                             const char *method);

#endif
