/*
 * sqlite_query.h - listings and counts of documents, by the indexes of sqlite_db.c.
 */
#ifndef SQLITE_QUERY_H
#define SQLITE_QUERY_H

#include "sqlite_statement.h"

/* QUERY and COUNT of store.h; -1, with the reason in r->err. */
int sqlite_query_page(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r);
int sqlite_query_count(struct sqlite_docs *d, const struct store_request *rq,
                       struct store_reply *r);

#endif
