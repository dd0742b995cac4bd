#include "sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define RETRY_MS 10

/*
 * Migration i brings a file from user_version i to i + 1.  What is released stays as it is; a
 * change of the schema is one more.
 *
 * created_at is kept without its "Z", so that times with and without a fraction sort as text
 * ("12:00:00" < "12:00:00.5").  A document without one, or with something else under that name,
 * sorts as the oldest.
 */
static const char *const migrations[] = {
    "CREATE TABLE sequence (last INTEGER NOT NULL);"
    "INSERT INTO sequence VALUES (0);"
    "CREATE TABLE document ("
    "  collection TEXT NOT NULL,"
    "  id TEXT NOT NULL,"
    "  version INTEGER NOT NULL," /* from sequence: never the same twice */
    "  status TEXT AS (CASE WHEN json_valid(body) AND json_type(body, '$.status') = 'text'"
    "    THEN json_extract(body, '$.status') END) STORED,"
    "  created_at TEXT NOT NULL AS ("
    "    CASE WHEN json_valid(body) AND json_type(body, '$.created_at') = 'text'"
    "    THEN substr(rtrim(json_extract(body, '$.created_at'), 'Z'), 1, 64) ELSE '' END) STORED,"
    "  body TEXT NOT NULL,"
    "  PRIMARY KEY (collection, id));"
    "CREATE INDEX document_newest ON document (collection, created_at, id);"
    "CREATE INDEX document_newest_by_status ON document (collection, status, created_at, id);"
    "CREATE TABLE part ("
    "  collection TEXT NOT NULL,"
    "  id TEXT NOT NULL,"
    "  n INTEGER NOT NULL,"
    "  bytes BLOB NOT NULL,"
    "  PRIMARY KEY (collection, id, n),"
    "  FOREIGN KEY (collection, id) REFERENCES document ON DELETE CASCADE);",

    /* Few documents wait: the others are in no index for it.  (No column that is STORED can be
     * added, but what is indexed is computed when it is written, too.) */
    "ALTER TABLE document ADD COLUMN waiting TEXT AS ("
    "  CASE WHEN json_valid(body) AND json_type(body, '$.waiting') = 'text'"
    "  THEN json_extract(body, '$.waiting') END);"
    "CREATE INDEX document_newest_by_waiting ON document (collection, waiting, created_at, id)"
    "  WHERE waiting IS NOT NULL;",

    /* Of arrays that have grown long, which are not in the body then (sqlite_lists.h). */
    "CREATE TABLE element ("
    "  collection TEXT NOT NULL,"
    "  id TEXT NOT NULL,"
    "  member TEXT NOT NULL,"
    "  value TEXT NOT NULL,"    /* JSON */
    "  place INTEGER NOT NULL," /* from sequence: those added later have higher ones */
    "  PRIMARY KEY (collection, id, member, value, place),"
    "  FOREIGN KEY (collection, id) REFERENCES document ON DELETE CASCADE) WITHOUT ROWID;",
};

/* journal_size_limit: bytes of write-ahead log kept on disk after a burst.  temp_store: letters
 * stay out of temporary files, which a confined process cannot make (confine_files.c). */
static const char settings[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA journal_size_limit = 67108864;";

int sqlite_db_err(sqlite3 *db, struct err *e) {
    static const struct {
        int code;
        const char *sentence;
    } known[] = {
        {SQLITE_FULL, "the disk is full; make room"},
        {SQLITE_IOERR, "it cannot be read or written; check the disk, its room and its quota"},
        {SQLITE_READONLY, "it may not be written; make the file and its directory writable"},
        {SQLITE_CANTOPEN, "it cannot be opened; make the file and its directory writable"},
        {SQLITE_BUSY, "another process keeps it locked; try again"},
        {SQLITE_CORRUPT, "it is damaged; restore a backup, or move it away to start afresh"},
        {SQLITE_NOTADB, "it is no database; restore a backup, or move it away to start afresh"},
    };
    const char *path = sqlite3_db_filename(db, "main");
    int code = sqlite3_errcode(db) & 0xFF; /* without the extension */
    const char *sentence = sqlite3_errmsg(db);

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].code == code)
            sentence = known[i].sentence;
    err_set(e, ERR_STORE_ERROR, "%s: %s", path, sentence);
    if (e != NULL && code == SQLITE_BUSY)
        e->retry_after = 1;
    return -1;
}

int sqlite_db_exec(sqlite3 *db, const char *sql, struct err *e) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_db_err(db, e);
}

int sqlite_db_check_file(sqlite3 *db, struct err *e) {
    int moved = 0; /* and stays so where there is no file */

    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved == 0)
        return 0;
    return err_set(e, ERR_STORE_ERROR,
                   "%s: it was removed or replaced; restart to go on with what is there",
                   sqlite3_db_filename(db, "main"));
}

bool sqlite_db_in_transaction(sqlite3 *db) {
    return !sqlite3_get_autocommit(db);
}

void sqlite_db_rollback(sqlite3 *db) {
    if (sqlite_db_in_transaction(db))
        (void)sqlite_db_exec(db, "ROLLBACK", NULL); /* its own failure ends the transaction too */
}

/* A number that the first row of a statement gives; -1 on failure. */
static int read_number(sqlite3 *db, const char *sql, struct err *e) {
    sqlite3_stmt *st = NULL;
    int n = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int(st, 0);
    else
        (void)sqlite_db_err(db, e);
    sqlite3_finalize(st);
    return n;
}

/* One step of the schema, in a transaction; another process may just have done it. */
static int migrate_step(sqlite3 *db, int from, struct err *e) {
    char *done = sqlite3_mprintf("PRAGMA user_version = %d", from + 1);
    int now, rc = -1;

    if (done == NULL)
        return err_set(e, ERR_STORE_ERROR, "out of memory");
    if (sqlite_db_exec(db, "BEGIN IMMEDIATE", e) < 0 ||
        (now = read_number(db, "PRAGMA user_version", e)) < 0)
        goto out;
    if (now == from &&
        (sqlite_db_exec(db, migrations[from], e) < 0 || sqlite_db_exec(db, done, e) < 0))
        goto out;
    rc = sqlite_db_exec(db, "COMMIT", e);
out:
    sqlite_db_rollback(db);
    sqlite3_free(done);
    return rc;
}

static int migrate(sqlite3 *db, struct err *e) {
    const int newest = (int)COUNT_OF(migrations);
    int version;

    while ((version = read_number(db, "PRAGMA user_version", e)) >= 0 && version < newest)
        if (migrate_step(db, version, e) < 0)
            return -1;
    if (version > newest)
        return err_set(e, ERR_STORE_ERROR,
                       "%s: a newer program made it (schema %d, this one knows %d); update this "
                       "program or use another DATA_DIR",
                       sqlite3_db_filename(db, "main"), version, newest);
    return version < 0 ? -1 : 0;
}

/* Drafts are letters: the file is made for its owner alone (SQLite gives its log the mode of the
 * file).  One that exists must not be opened here: closing it would drop this process's locks. */
static int create_file(const char *path, struct err *e) {
    int fd;

    if (strcmp(path, SQLITE_DB_MEMORY) == 0)
        return 0;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return 0;
    if (fd < 0)
        return err_set(e, ERR_STORE_ERROR, "%s: %s; make the file and its directory writable", path,
                       strerror(errno));
    close(fd);
    return 0;
}

/* SQLite does not always wait when several processes make one file at once, so we do. */
static int settle(sqlite3 *db, int busy_ms, struct err *e) {
    for (int waited = 0;; waited += RETRY_MS) {
        struct err why = {0};

        if (sqlite_db_exec(db, settings, &why) == 0 && migrate(db, &why) == 0)
            break;
        if (why.retry_after == 0 || waited >= busy_ms) {
            *e = why;
            return -1;
        }
        sqlite3_sleep(RETRY_MS);
    }
    sqlite3_busy_timeout(db, busy_ms);
    return 0;
}

/* SQLite would count its memory under a lock that two threads want at every allocation, and begin
 * each cache with twenty pages.  That this comes too late for the second connection is no failure.
 */
static void save_memory(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
}

int sqlite_db_open(sqlite3 **out, const char *path, int busy_ms, struct err *e) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    sqlite3 *db = NULL;

    if (create_file(path, e) < 0)
        return -1;
    save_memory();
    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        err_set(e, ERR_STORE_ERROR, "%s: %s", path,
                db == NULL ? "out of memory" : sqlite3_errmsg(db));
        goto fail;
    }
    if (sqlite3_db_readonly(db, "main") == 1) { /* SQLite opens what it may not write to read */
        err_set(e, ERR_STORE_ERROR, "%s: it may not be written; make it writable", path);
        goto fail;
    }
    if (settle(db, busy_ms, e) < 0)
        goto fail;
    *out = db;
    return 0;
fail:
    sqlite3_close(db);
    return -1;
}

void sqlite_db_close(sqlite3 *db) {
    sqlite3_close(db);
}
