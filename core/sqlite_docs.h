/*
 * sqlite_docs.h - documents and parts over one connection: what each verb of store.h does.
 *
 * Synchronous; an object is used by one thread at a time.  Replies are as store.h has them, with
 * the failure in reply->err.
 */
#ifndef SQLITE_DOCS_H
#define SQLITE_DOCS_H

#include "store.h"

struct sqlite_docs;

struct sqlite_docs *sqlite_docs_open(const char *path, int busy_ms, struct err *e);
void sqlite_docs_close(struct sqlite_docs *d); /* NULL-safe */

/* GET, QUERY, PARTS. */
void sqlite_docs_read(struct sqlite_docs *d, const struct store_request *rq,
                      struct store_reply *reply);

/* The group of writes between begin and commit is one transaction.  After a failure of any of the
 * three the group is undone and there is no transaction. */
int sqlite_docs_begin(struct sqlite_docs *d, struct err *e);
int sqlite_docs_commit(struct sqlite_docs *d, struct err *e);

/* CREATE, UPDATE, DELETE, INCREMENT; `fields` is the JSON text of the request's fields, which are
 * not looked at.  A refusal (reply->err) undoes this write alone and is no failure; -1 is. */
int sqlite_docs_write(struct sqlite_docs *d, const struct store_request *rq, const char *fields,
                      struct store_reply *reply);

#endif
