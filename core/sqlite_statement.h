/*
 * sqlite_statement.h - the statements of a connection, and how they are run.
 *
 * For sqlite_docs.c and sqlite_query.c.  What is bound is only borrowed, until
 * sqlite_statement_finish() forgets it.
 */
#ifndef SQLITE_STATEMENT_H
#define SQLITE_STATEMENT_H

#include <jansson.h>
#include <sqlite3.h>

#include "store.h"

/* Wherever a statement names a document, ?1 is the collection and ?2 the id. */
enum sqlite_statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_SAVEPOINT,
    ST_RELEASE,
    ST_UNDO,
    ST_LAST,
    ST_KEEP,
    ST_GET,
    ST_LOOK,
    ST_INSERT,
    ST_UPDATE,
    ST_DELETE,
    ST_NEWEST,
    ST_NEWEST_BY_STATUS,
    ST_NEWEST_BY_WAITING,
    ST_COUNT,
    ST_COUNT_BY_STATUS,
    ST_COUNT_BY_WAITING,
    ST_PARTS,
    ST_INSERT_PART,
    ST_DELETE_PARTS,
    ST_HAS_ELEMENT,
    ST_ADD_ELEMENT,
    ST_DELETE_ELEMENTS,
    STATEMENTS
};

struct sqlite_docs {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS]; /* NULL: not asked for yet */

    /* Of the transaction that is open. */
    sqlite3_int64 last, kept; /* number that was given; that is in the table sequence */
    bool savepoint;           /* for the write that has begun */
};

/* Prepared when it is first asked for, since few connections need them all.  NULL: it cannot be,
 * and stepping it tells why. */
sqlite3_stmt *sqlite_statement(struct sqlite_docs *d, enum sqlite_statement s);
void sqlite_statement_finalize(struct sqlite_docs *d);

void sqlite_statement_bind(sqlite3_stmt *st, int i, const char *text);

/* The statement, bound to the document of the request. */
sqlite3_stmt *sqlite_statement_about(struct sqlite_docs *d, enum sqlite_statement s,
                                     const struct store_request *rq);

/* 1: there is a row; 0: there is none; -1: it failed. */
int sqlite_statement_step(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e);
void sqlite_statement_finish(sqlite3_stmt *st);

/* A statement that gives no rows, from start to end. */
int sqlite_statement_run(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e);

void sqlite_statement_version(sqlite3_stmt *st, int column, char version[STORE_VERSION_SIZE]);

/* The document in three columns of a row: version, body, its elements. */
int sqlite_statement_document(sqlite3_stmt *st, int column, const struct store_request *rq,
                              const char *id, char version[STORE_VERSION_SIZE], json_t **fields,
                              struct err *e);

int sqlite_statement_no_memory(struct err *e); /* -1 */

#endif
