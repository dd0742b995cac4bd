/*
 * sqlite_json.h - documents as the text that is in the file.
 *
 * What is written is read back as exactly what it was: integers of 64 bits, reals of 17 digits,
 * strings with NUL.  For all sqlite*.c.
 */
#ifndef SQLITE_JSON_H
#define SQLITE_JSON_H

#include <jansson.h>

#include "base.h"

/* A new reference; NULL: it is no JSON, or there is no memory for it. */
json_t *sqlite_json_read(const char *text, size_t len);

/* Compact, members in their order; the caller frees it.  NULL: out of memory. */
char *sqlite_json_write(const json_t *value);

#endif
