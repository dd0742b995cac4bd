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

/* GET, QUERY, COUNT, PARTS; is it one of them? */
bool sqlite_docs_reads(enum store_verb verb);
void sqlite_docs_read(struct sqlite_docs *d, const struct store_request *rq,
                      struct store_reply *reply);

/* The group of writes between begin and commit is one transaction.  After a failure of any of the
 * three the group is undone and there is no transaction. */
int sqlite_docs_begin(struct sqlite_docs *d, struct err *e);
int sqlite_docs_commit(struct sqlite_docs *d, struct err *e);

/* CREATE, UPDATE, DELETE, INCREMENT.  The request's own trees are not looked at: these are their
 * JSON texts, or NULL.  A refusal (reply->err) undoes this write alone and is no failure; -1 is:
 * there was no memory or no room for it, or it would have stayed halfway. */
struct sqlite_docs_texts {
    char *fields, *append;
    char *with[STORE_WITH_MAX];
};
int sqlite_docs_write(struct sqlite_docs *d, const struct store_request *rq,
                      const struct sqlite_docs_texts *texts, struct store_reply *reply);

/* Those of a request; -1: out of memory. */
int sqlite_docs_texts_make(struct sqlite_docs_texts *texts, const struct store_request *rq);
void sqlite_docs_texts_free(struct sqlite_docs_texts *texts);

/* Writes with their trees as one transaction: all of them or, if one is refused, none.  The reply
 * is that of the last, or the refusal. */
void sqlite_docs_write_all(struct sqlite_docs *d, const struct store_request *rqs, size_t n,
                           struct store_reply *reply);

/* From now on no version is one that another store has given, or will. */
int sqlite_docs_set_apart(struct sqlite_docs *d, struct err *e);

#endif
