/*
 * sqlite_lists.h - the arrays that INCREMENT appends to: when they get long they are kept element
 * by element, beside the body of their document, so that to append, and to count, costs the same
 * however long they are.
 *
 * A member is in the body or beside it.  For sqlite_docs.c, inside a transaction.
 */
#ifndef SQLITE_LISTS_H
#define SQLITE_LISTS_H

#include "sqlite_statement.h"

/* A document that is about to be written. */
struct sqlite_lists_doc {
    json_t *body;
    bool beside; /* there are elements beside it */
};

/* `append` of store.h: each value to the array of its name.  What is no array does not survive. */
int sqlite_lists_append(struct sqlite_docs *d, const struct store_request *rq,
                        const struct sqlite_lists_doc *doc, const json_t *values, struct err *e);

/* The elements of the array of this name, if there are any. */
int sqlite_lists_drop(struct sqlite_docs *d, const struct store_request *rq, const char *member,
                      struct err *e);

#endif
