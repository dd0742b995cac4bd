/*
 * sqlite_db.h - a connection to the database file: settings, schema, transactions, sentences for
 * what SQLite reports.
 *
 * A connection is used by one thread at a time; whoever opened it closes it.
 */
#ifndef SQLITE_DB_H
#define SQLITE_DB_H

#include <sqlite3.h>

#include "base.h"
#include "err.h"

#define SQLITE_DB_MEMORY ":memory:" /* a path: the database of this connection alone */

/* Open the file and bring its schema up to date; both are created if missing.  busy_ms: how long
 * to wait for a lock of another process. */
int sqlite_db_open(sqlite3 **out, const char *path, int busy_ms, struct err *e);
void sqlite_db_close(sqlite3 *db); /* NULL-safe; all its statements are finalized */

/* What went wrong last, as ERR_STORE_ERROR with the file and the remedy; returns -1. */
int sqlite_db_err(sqlite3 *db, struct err *e);

/* Run statements that give no rows. */
int sqlite_db_exec(sqlite3 *db, const char *sql, struct err *e);

/* Is the file still there?  What is written to one that was removed is in none. */
int sqlite_db_check_file(sqlite3 *db, struct err *e);

/* Is a transaction open?  SQLite ends one by itself after some failures. */
bool sqlite_db_in_transaction(sqlite3 *db);

/* Give up what the open transaction did; nothing if there is none. */
void sqlite_db_rollback(sqlite3 *db);

#endif
