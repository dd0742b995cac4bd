/*
 * json_text.h - JSON text (RFC 8259) to jansson's trees, and the parts that writers of it need.
 *
 * The trees are jansson's, the reader is not: jansson's takes half a second for a body of 30 MB,
 * on the thread that serves everybody (this one takes little more than the copy), and rounds
 * numbers without a word.  Here a number that would come out as another one is refused by name,
 * and so are duplicate names, invalid UTF-8, lone surrogates, NUL in a name, and depth and number
 * of values beyond bounds.
 *
 * Pure functions.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>

#include "base.h"
#include "buf.h"
#include "err.h"

#define JSON_TEXT_DEPTH_MAX  256
#define JSON_TEXT_VALUES_MAX 250000 /* in one text: two bytes of it may cost 250 of memory */

/* Where a value is in its document: a chain from the value up to the top, on the C stack of
 * whoever walks the document.  A member has a name, an element an index; NULL is the top. */
struct json_text_path {
    const struct json_text_path *up;
    const char *name; /* valid UTF-8, or NULL: an element */
    size_t len;
    size_t index; /* from 0 */
};

/* Parse len bytes: a new reference, or NULL and *e: ERR_MALFORMED_JSON with line and column (in
 * characters, from 1), ERR_INVALID_FIELD naming a number that cannot be carried exactly,
 * ERR_PAYLOAD_TOO_LARGE, or out of memory. */
json_t *json_text_parse(const char *text, size_t len, unsigned max_depth, struct err *e);

/* Fill *e with ERR_INVALID_FIELD, the path as field ("metadata.ids[3]") and in front of the
 * sentence; returns -1. */
int json_text_err(struct err *e, const struct json_text_path *path, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* How many of the n bytes at p come before the first that is not ASCII, or is a control character,
 * a quote or a backslash. */
size_t json_text_plain_span(const char *p, size_t n);

/* A whole tree, without white space.  Jansson's writer looks at each object for a cycle, which
 * takes longer than the writing. */
void json_text_add(struct buf *out, const json_t *value);

/* The same as a string of its own, which the caller frees; NULL: out of memory, or it would be
 * longer than JSON_TEXT_MAX. */
#define JSON_TEXT_MAX (512 * MIB)
char *json_text_write(const json_t *value, size_t *len);

/* A quoted string; s is valid UTF-8. */
void json_text_add_string(struct buf *out, const char *s, size_t n);

void json_text_add_integer(struct buf *out, int64_t v);

/* The shortest spelling of a finite number that reads back as it, always as a real ("3.0"). */
void json_text_add_real(struct buf *out, double v);

#endif
