/*
 * sqlite_query.h - listings and counts of documents, by the indexes of sqlite_db.c.
 */
#ifndef SQLITE_QUERY_H
#define SQLITE_QUERY_H

#include "buf.h"
#include "sqlite_statement.h"

/* QUERY and COUNT of store.h; -1, with the reason in r->err. */
int sqlite_query_page(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r);
int sqlite_query_count(struct sqlite_docs *d, const struct store_request *rq,
                       struct store_reply *r);

#define SQLITE_QUERY_TOKEN_MAX (8 * KIB) /* of what is in a page token */

/* The token of a page that begins with this document; created_at is without its "Z", as
 * sqlite_db.c keeps it.  NULL: out of memory. */
char *sqlite_query_token(const char *created_at, const char *id);

/* created_at is left at the start of *place, an empty buffer with room for SQLITE_QUERY_TOKEN_MAX
 * which the caller frees; the id, in it too, is returned. */
const char *sqlite_query_token_read(struct buf *place, const char *token, struct err *e);

#endif
