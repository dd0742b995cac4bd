/*
 * sqlite_lists.h - the arrays that INCREMENT appends to: they are kept element by element, beside
 * the body of their document.
 *
 * An array that came as a whole is in the body, until something is appended to it.  For
 * sqlite_docs.c, inside a transaction.
 */
#ifndef SQLITE_LISTS_H
#define SQLITE_LISTS_H

#include "sqlite_statement.h"

/* `append` of store.h: each value to the array of its name.  An array that is in the body leaves
 * it; what is no array there does not survive. */
int sqlite_lists_append(struct sqlite_docs *d, const struct store_request *rq, json_t *body,
                        const json_t *values, struct err *e);

/* The elements of the array of this name, if there are any. */
int sqlite_lists_drop(struct sqlite_docs *d, const struct store_request *rq, const char *member,
                      struct err *e);

#endif
