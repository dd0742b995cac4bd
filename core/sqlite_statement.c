#include "sqlite_statement.h"

#include <string.h>

#include "sqlite_db.h"
#include "sqlite_json.h"

/* The elements of a document, [[member, value], ...] in their order; NULL if it has none. */
#define OF_DOCUMENT                                                                                \
    " FROM element WHERE element.collection = document.collection AND element.id = document.id"
#define ROWS "SELECT member, value, place" OF_DOCUMENT
#define LIST(rows)                                                                                 \
    "(SELECT '[' || group_concat('[' || json_quote(member) || ',' || value || ']') || ']'"         \
    " FROM (" rows " ORDER BY member, place))"
#define ELEMENTS     LIST(ROWS)
#define ELEMENTS_BUT LIST(ROWS " AND member < ?3 UNION ALL " ROWS " AND member > ?3")

#define NEWEST(filter)                                                                             \
    "SELECT id, version, body, " ELEMENTS ", created_at FROM document"                             \
    " WHERE collection = ?1" filter                                                                \
    " AND (created_at, id) <= (?2, ?3) ORDER BY created_at DESC, id DESC LIMIT ?4"
#define COUNT(filter)                                                                              \
    "SELECT count(*) FROM (SELECT 1 FROM document WHERE collection = ?1" filter " LIMIT ?2)"

static const char *const sql[STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_SAVEPOINT] = "SAVEPOINT one",
    [ST_RELEASE] = "RELEASE one",
    [ST_UNDO] = "ROLLBACK TO one",
    [ST_LAST] = "SELECT last FROM sequence",
    [ST_KEEP] = "UPDATE sequence SET last = ?1",
    [ST_GET] = "SELECT version, body, " ELEMENTS_BUT " FROM document"
               " WHERE collection = ?1 AND id = ?2",
    [ST_LOOK] = "SELECT version, body, EXISTS (SELECT 1" OF_DOCUMENT ")"
                " FROM document WHERE collection = ?1 AND id = ?2",
    [ST_INSERT] = "INSERT INTO document (collection, id, version, body) VALUES (?1, ?2, ?3, ?4)"
                  " ON CONFLICT DO NOTHING",
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
    [ST_HAS_ELEMENT] = "SELECT 1 FROM element"
                       " WHERE collection = ?1 AND id = ?2 AND member = ?3 AND value = ?4",
    [ST_ADD_ELEMENT] = "INSERT INTO element VALUES (?1, ?2, ?3, ?4, ?5)",
    [ST_DELETE_ELEMENTS] = "DELETE FROM element WHERE collection = ?1 AND id = ?2 AND member = ?3",
};

/* Of one that cannot be prepared the connection keeps the reason. */
sqlite3_stmt *sqlite_statement(struct sqlite_docs *d, enum sqlite_statement s) {
    if (d->statements[s] == NULL)
        (void)sqlite3_prepare_v3(d->db, sql[s], -1, SQLITE_PREPARE_PERSISTENT, &d->statements[s],
                                 NULL);
    return d->statements[s];
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
    sqlite3_stmt *st = sqlite_statement(d, s);

    sqlite_statement_bind(st, 1, rq->collection);
    sqlite_statement_bind(st, 2, rq->id);
    return st;
}

int sqlite_statement_step(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e) {
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sqlite_db_err(d->db, e);
}

void sqlite_statement_finish(sqlite3_stmt *st) {
    sqlite3_reset(st);
    if (st != NULL)
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

/* [[member, value], ...]: to the arrays of these names, which are made if they are not there. */
static int add_elements(json_t *document, const json_t *elements) {
    const json_t *element;
    size_t i;
    int rc = 0;

    json_array_foreach(elements, i, element) {
        const char *member = json_string_value(json_array_get(element, 0));
        json_t *list = json_object_get(document, member);

        if (!json_is_array(list)) {
            list = json_array();
            rc |= json_object_set_new(document, member, list);
        }
        rc |= json_array_append(list, json_array_get(element, 1));
    }
    return rc;
}

static json_t *read_column(sqlite3_stmt *st, int column) {
    const char *text = (const char *)sqlite3_column_text(st, column);

    return text == NULL ? NULL : sqlite_json_read(text, (size_t)sqlite3_column_bytes(st, column));
}

int sqlite_statement_document(sqlite3_stmt *st, int column, const struct store_request *rq,
                              const char *id, char version[STORE_VERSION_SIZE], json_t **fields,
                              struct err *e) {
    json_t *elements = NULL;
    int rc = -1;

    sqlite_statement_version(st, column, version);
    *fields = read_column(st, column + 1);
    if (json_is_object(*fields) && sqlite3_column_type(st, column + 2) != SQLITE_TEXT)
        return 0;
    if (json_is_object(*fields) && (elements = read_column(st, column + 2)) != NULL)
        rc = add_elements(*fields, elements);
    json_decref(elements);
    if (rc == 0)
        return 0;
    json_decref(*fields);
    *fields = NULL;
    return err_set(e, ERR_STORE_ERROR,
                   "the stored document %s/%s is not a JSON object; repair or delete it",
                   rq->collection, id);
}
