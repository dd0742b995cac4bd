/*
 * store_fixture.h - a store in a directory of its own, and what tests of it are written in.
 *
 * For the files of tests that include it once, after cmocka.h.
 */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "loop.h"
#include "store.h"

#define PATIENCE_MS 60000

static char dir[64];     /* DATA_DIR */
static char db_path[96]; /* the file in it */

/* A request and what became of it.  `reply` is ours once it is done. */
struct call {
    struct store_request rq;
    struct store_call *handle;
    struct store_reply reply;
    unsigned dones;
};

static unsigned waiting; /* for so many done() */
static bool looping;     /* inside wait_for_all() */

static inline void on_done(struct store_reply *reply, void *arg) {
    struct call *c = arg;

    c->dones++;
    c->handle = NULL;
    c->reply = *reply;
    *reply = (struct store_reply){0};
    if (waiting > 0 && --waiting == 0 && looping)
        loop_stop();
}

/* Start c; wait_for_all() sees it end. */
static inline void begin(struct call *c) {
    waiting++;
    c->handle = store_start(&c->rq, on_done, c);
}

static inline void on_too_late(void *arg) {
    (void)arg;
    fail_msg("%u replies did not come", waiting);
}

static inline void wait_for_all(void) {
    struct loop_timer *t = loop_timer_start(PATIENCE_MS, on_too_late, NULL);

    looping = true;
    while (waiting > 0)
        loop_run();
    looping = false;
    loop_timer_stop(&t);
}

/* Run c to its end; its code. */
static inline enum err_code finish(struct call *c) {
    store_reply_fini(&c->reply);
    c->dones = 0;
    begin(c);
    wait_for_all();
    assert_int_equal(c->dones, 1);
    assert_null(c->handle);
    return c->reply.err.code;
}

static struct call got, written; /* the last ones of the two functions that follow */

static inline struct call *get(const char *id) {
    got.rq = (struct store_request){.verb = STORE_GET, .collection = "drafts", .id = id};
    finish(&got);
    return &got;
}

static inline struct call *write_json(enum store_verb verb, const char *id, const char *version,
                                      const char *json) {
    written.rq =
        (struct store_request){.verb = verb, .collection = "drafts", .id = id, .version = version};
    if (json != NULL) {
        written.rq.fields = json_loads(json, JSON_ALLOW_NUL, NULL);
        assert_non_null(written.rq.fields);
    }
    finish(&written);
    json_decref(written.rq.fields);
    return &written;
}

static inline void assert_created(const char *id, const char *json) {
    assert_int_equal(write_json(STORE_CREATE, id, NULL, json)->reply.err.code, ERR_NONE);
}

/* json: compact, sorted; NULL: there is none. */
static inline void assert_document(const char *id, const char *json) {
    struct call *c = get(id);
    char *text;

    assert_string_equal(c->reply.err.message, "");
    assert_int_equal(c->reply.found, json != NULL);
    if (json == NULL)
        return;
    text = json_dumps(c->reply.fields, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, json);
    free(text);
}

/* A connection of somebody else. */
static inline sqlite3 *open_raw(void) {
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, PATIENCE_MS);
    return db;
}

/* What is in a table of the file now. */
static inline int count_rows(const char *table) {
    sqlite3 *db = open_raw();
    sqlite3_stmt *st = NULL;
    char query[64];
    int n;

    snprintf(query, sizeof(query), "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_prepare_v2(db, query, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

static inline void exec_raw(sqlite3 *db, const char *sql) {
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

static inline void edit_database(const char *sql) {
    sqlite3 *db = open_raw();

    exec_raw(db, sql);
    sqlite3_close(db);
}

/* While somebody else has the write lock, the writer waits with what it has, and the rest queues
 * up: so a test decides what becomes one group. */
static inline sqlite3 *hold_lock(void) {
    sqlite3 *db = open_raw();

    exec_raw(db, "BEGIN IMMEDIATE");
    return db;
}

static inline void release_lock(sqlite3 *db) {
    exec_raw(db, "ROLLBACK");
    sqlite3_close(db);
}

static inline uint32_t big_endian(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Commits in a write-ahead log that was never reset: frames that give the size of the file. */
static inline unsigned count_commits(void) {
    unsigned char header[32];
    char path[128];
    unsigned n = 0;
    FILE *f;

    snprintf(path, sizeof(path), "%s-wal", db_path);
    f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(header, 1, 32, f), 32);
    const long page_size = (long)big_endian(header + 8);
    while (fread(header, 1, 24, f) == 24) {
        n += big_endian(header + 4) > 0;
        fseek(f, page_size, SEEK_CUR);
    }
    fclose(f);
    return n;
}

static inline void remove_directory(const char *path) {
    DIR *d = opendir(path);
    struct dirent *entry;
    char name[512];

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(name), 0);
    }
    closedir(d);
    assert_int_equal(rmdir(path), 0);
}

static inline void open_store(void) {
    struct err e = {0};

    if (store_init(&e) < 0)
        fail_msg("%s", e.message);
}

static inline void reopen_store(void) {
    store_fini();
    open_store();
}

static inline int set_up_directory(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/test_sqlite_XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(rmdir(dir), 0); /* the store makes it */
    snprintf(db_path, sizeof(db_path), "%s/paraph.db", dir);
    env.backend = ENV_LOCAL;
    env.data_dir = dir;
    waiting = 0;
    return loop_init();
}

static inline int set_up(void **state) {
    set_up_directory(state);
    open_store();
    return 0;
}

static inline int tear_down(void **state) {
    (void)state;
    store_reply_fini(&got.reply);
    store_reply_fini(&written.reply);
    store_fini();
    assert_int_equal(loop_fini(), 0);
    remove_directory(dir);
    return 0;
}

#endif
