#include "sqlite_statement.h"

#include <string.h>

#include "sqlite_db.h"

#define NEWEST(filter)                                                                             \
    "SELECT id, version, body, created_at FROM document WHERE collection = ?1" filter              \
    " AND (created_at, id) <= (?2, ?3) ORDER BY created_at DESC, id DESC LIMIT ?4"
#define COUNT(filter)                                                                              \
    "SELECT count(*) FROM (SELECT 1 FROM document WHERE collection = ?1" filter " LIMIT ?2)"

static const char *const sql[STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_SAVEPOINT] = "SAVEPOINT one",
    [ST_RELEASE] = "RELEASE one",
    [ST_UNDO] = "ROLLBACK TO one",
    [ST_NEXT_VERSION] = "UPDATE sequence SET last = last + 1 RETURNING last",
    [ST_GET] = "SELECT version, body FROM document WHERE collection = ?1 AND id = ?2",
    [ST_INSERT] = "INSERT INTO document (collection, id, version, body) VALUES (?1, ?2, ?3, ?4)",
    [ST_UPDATE] = "UPDATE document SET version = ?3, body = ?4 WHERE collection = ?1 AND id = ?2",
    [ST_DELETE] = "DELETE FROM document WHERE collection = ?1 AND id = ?2",
    [ST_NEWEST] = NEWEST(""),
    [ST_NEWEST_BY_STATUS] = NEWEST(" AND status = ?5"),
    [ST_NEWEST_BY_WAITING] = NEWEST(" AND waiting = ?5"),
    [ST_COUNT] = COUNT(""),
    [ST_COUNT_BY_STATUS] = COUNT(" AND status = ?3"),
    [ST_COUNT_BY_WAITING] = COUNT(" AND waiting = ?3"),
    [ST_PARTS] = "SELECT bytes, version FROM document LEFT JOIN part USING (collection, id)"
                 " WHERE collection = ?1 AND id = ?2 ORDER BY n",
    [ST_INSERT_PART] = "INSERT INTO part (collection, id, n, bytes) VALUES (?1, ?2, ?3, ?4)",
    [ST_DELETE_PARTS] = "DELETE FROM part WHERE collection = ?1 AND id = ?2",
};

int sqlite_statement_prepare(struct sqlite_docs *d, struct err *e) {
    for (size_t i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(d->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i],
                               NULL) != SQLITE_OK)
            return sqlite_db_err(d->db, e);
    return 0;
}

void sqlite_statement_finalize(struct sqlite_docs *d) {
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
}

void sqlite_statement_bind(sqlite3_stmt *st, int i, const char *text) {
    sqlite3_bind_text64(st, i, text, strlen(text), SQLITE_STATIC, SQLITE_UTF8);
}

sqlite3_stmt *sqlite_statement_about(struct sqlite_docs *d, enum sqlite_statement s,
                                     const struct store_request *rq) {
    sqlite_statement_bind(d->statements[s], 1, rq->collection);
    sqlite_statement_bind(d->statements[s], 2, rq->id);
    return d->statements[s];
}

int sqlite_statement_step(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e) {
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sqlite_db_err(d->db, e);
}

void sqlite_statement_finish(sqlite3_stmt *st) {
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

int sqlite_statement_run(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e) {
    int rc = sqlite_statement_step(d, st, e);

    sqlite_statement_finish(st);
    return rc;
}

int sqlite_statement_no_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

void sqlite_statement_version(sqlite3_stmt *st, int column, char version[STORE_VERSION_SIZE]) {
    sqlite3_snprintf(STORE_VERSION_SIZE, version, "%lld", sqlite3_column_int64(st, column));
}

int sqlite_statement_document(sqlite3_stmt *st, int column, const struct store_request *rq,
                              const char *id, char version[STORE_VERSION_SIZE], json_t **fields,
                              struct err *e) {
    const char *body = (const char *)sqlite3_column_text(st, column + 1);

    if (body == NULL)
        return sqlite_statement_no_memory(e);
    sqlite_statement_version(st, column, version);
    *fields =
        json_loadb(body, (size_t)sqlite3_column_bytes(st, column + 1), SQLITE_STATEMENT_JSON, NULL);
    if (json_is_object(*fields))
        return 0;
    json_decref(*fields);
    *fields = NULL;
    return err_set(e, ERR_STORE_ERROR,
                   "the stored document %s/%s is not a JSON object; repair or delete it",
                   rq->collection, id);
}
