/* The embedded store under load and in trouble: groups, cancelling, other processes, full disks,
 * files that somebody edited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_fixture.h"

/* --- groups ---------------------------------------------------------------------------------- */

/* n creates of "{}" under the ids 0, 1, 2 ... */
static struct call *begin_creates(size_t n) {
    struct call *calls = calloc(n, sizeof(*calls));
    json_t *fields = json_object();
    char id[24];

    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%zu", i); /* borrowed only while it starts */
        calls[i].rq = (struct store_request){
            .verb = STORE_CREATE, .collection = "drafts", .id = id, .fields = fields};
        begin(&calls[i]);
    }
    json_decref(fields);
    return calls;
}

static void test_many_creates_are_few_commits(void **state) {
    enum { N = 1000 };
    unsigned before;
    sqlite3 *lock;
    struct call *calls;

    (void)state;
    before = count_commits();
    lock = hold_lock();
    calls = begin_creates(N);
    release_lock(lock);
    wait_for_all();
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].dones, 1);
        assert_int_equal(calls[i].reply.err.code, ERR_NONE);
    }
    /* The first may have been taken alone; the rest is one group. */
    assert_in_range(count_commits() - before, 1, 2);
    assert_int_equal(count_rows("document"), N);
    free(calls);
}

static void test_a_refusal_spares_its_neighbours(void **state) {
    static const char *const ids[] = {"first", "a", "a", "b", "a", "c"};
    struct call calls[COUNT_OF(ids)] = {0};
    json_t *fields = json_object();
    sqlite3 *lock = hold_lock();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        calls[i].rq = (struct store_request){
            .verb = STORE_CREATE, .collection = "drafts", .id = ids[i], .fields = fields};
        begin(&calls[i]);
    }
    release_lock(lock);
    wait_for_all();
    json_decref(fields);
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(calls[i].reply.err.code, i == 2 || i == 4 ? ERR_ALREADY_EXISTS : ERR_NONE);
    assert_int_equal(count_rows("document"), 4);
}

/* A stray part with the number of one of ours stops a create when half of it is written. */
static void test_a_failure_halfway_undoes_that_write_alone(void **state) {
    struct blob *parts[] = {blob_copy("0", 1), blob_copy("1", 1)};
    struct call calls[3] = {0};
    sqlite3 *lock;

    (void)state;
    edit_database("INSERT INTO part VALUES ('drafts', 'half', 1, x'00')");
    lock = hold_lock();
    calls[0].rq = (struct store_request){.verb = STORE_CREATE, .collection = "drafts", .id = "a"};
    calls[1].rq = (struct store_request){.verb = STORE_CREATE,
                                         .collection = "drafts",
                                         .id = "half",
                                         .parts = parts,
                                         .nparts = 2,
                                         .set_parts = true};
    calls[2].rq = (struct store_request){.verb = STORE_CREATE, .collection = "drafts", .id = "b"};
    for (size_t i = 0; i < 3; i++)
        begin(&calls[i]);
    release_lock(lock);
    wait_for_all();
    assert_int_equal(calls[0].reply.err.code, ERR_NONE);
    assert_int_equal(calls[1].reply.err.code, ERR_STORE_ERROR);
    assert_int_equal(calls[2].reply.err.code, ERR_NONE);
    assert_document("a", "{}");
    assert_document("half", NULL);
    assert_document("b", "{}");
    blob_unref(parts[0]);
    blob_unref(parts[1]);
}

static void test_only_one_of_two_claims_wins(void **state) {
    struct call calls[2] = {0};
    json_t *fields = json_pack("{s:s}", "status", "sending");
    char version[STORE_VERSION_SIZE];
    sqlite3 *lock;

    (void)state;
    strcpy(version, write_json(STORE_CREATE, "a", NULL, "{}")->reply.version);
    lock = hold_lock();
    for (size_t i = 0; i < 2; i++) {
        calls[i].rq = (struct store_request){.verb = STORE_UPDATE,
                                             .collection = "drafts",
                                             .id = "a",
                                             .fields = fields,
                                             .version = version};
        begin(&calls[i]);
    }
    release_lock(lock);
    wait_for_all();
    json_decref(fields);
    assert_int_equal(calls[0].reply.err.code, ERR_NONE);
    assert_int_equal(calls[1].reply.err.code, ERR_CONFLICT);
}

static void test_cancel(void **state) {
    enum { N = 10 };
    struct blob *part = blob_copy("x", 1);
    sqlite3 *lock = hold_lock();
    struct call *calls = begin_creates(N);
    struct call with_part = {.rq = {.verb = STORE_CREATE,
                                    .collection = "drafts",
                                    .id = "part",
                                    .parts = &part,
                                    .nparts = 1}};

    (void)state;
    begin(&with_part);
    assert_int_equal(part->refs, 2);
    store_cancel(&with_part.handle);
    assert_null(with_part.handle);
    store_cancel(&with_part.handle);
    for (size_t i = 0; i < N; i += 2)
        store_cancel(&calls[i].handle);
    waiting -= N / 2 + 1;
    release_lock(lock);
    wait_for_all();
    reopen_store(); /* lets the last group end */
    for (size_t i = 0; i < N; i++)
        assert_int_equal(calls[i].dones, i % 2);
    assert_int_equal(with_part.dones, 0);
    assert_int_equal(part->refs, 1);
    blob_unref(part);
    free(calls);
}

struct canceller {
    struct call *victim;
    struct store_call *handle;
};

static void on_done_cancel(struct store_reply *reply, void *arg) {
    struct canceller *c = arg;

    assert_int_equal(reply->err.code, ERR_NONE);
    store_cancel(&c->victim->handle);
    loop_stop();
}

static void test_cancel_inside_done(void **state) {
    struct call victim = {.rq = {.verb = STORE_CREATE, .collection = "drafts", .id = "victim"}};
    struct store_request rq = {.verb = STORE_CREATE, .collection = "drafts", .id = "killer"};
    struct canceller killer = {.victim = &victim};
    sqlite3 *lock = hold_lock();

    (void)state;
    killer.handle = store_start(&rq, on_done_cancel, &killer);
    victim.handle = store_start(&victim.rq, on_done, &victim);
    release_lock(lock);
    waiting = 0;
    loop_run();
    store_fini();
    assert_int_equal(victim.dones, 0);
    open_store();
    assert_document("victim", "{}");
}

static void test_the_queue_has_an_end(void **state) {
    enum { QUEUE = 10000, N = QUEUE + 10 };
    sqlite3 *lock = hold_lock();
    struct call *calls = begin_creates(N);

    (void)state;
    assert_int_equal(waiting, QUEUE);
    release_lock(lock);
    wait_for_all();
    for (size_t i = 0; i < N; i++)
        assert_int_equal(calls[i].reply.err.code, i < QUEUE ? ERR_NONE : ERR_OVERLOADED);
    assert_int_equal(count_rows("document"), QUEUE);
    free(calls);
    assert_created("again", "{}");
}

static void test_fini_waits_for_what_is_queued(void **state) {
    enum { N = 100 };
    sqlite3 *lock = hold_lock();
    struct call *calls = begin_creates(N);

    (void)state;
    release_lock(lock);
    store_fini();
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].dones, 1);
        assert_int_equal(calls[i].reply.err.code, ERR_NONE);
    }
    free(calls);
    assert_int_equal(get("1")->reply.err.code, ERR_SHUTTING_DOWN);
    open_store();
    assert_document("99", "{}");
}

/* --- other processes ------------------------------------------------------------------------- */

static int count_in_child(unsigned times) {
    struct call c = {
        .rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = "shared", .counter = "n"}};
    struct store_request create = {.verb = STORE_CREATE, .collection = "drafts", .id = "shared"};
    struct call first = {.rq = create};
    struct err e = {0};

    if (loop_init() != 0 || store_init(&e) < 0) {
        fprintf(stderr, "child: %s\n", e.message);
        return 1;
    }
    finish(&first); /* one of them makes it */
    for (unsigned i = 0; i < times; i++)
        if (finish(&c) != ERR_NONE || !c.reply.found) {
            fprintf(stderr, "child: %s\n", c.reply.err.message);
            return 1;
        }
    store_fini();
    return loop_fini() != 0;
}

static void test_processes_share_the_file(void **state) {
    enum { PROCESSES = 4, TIMES = 25 };
    pid_t children[PROCESSES];
    char want[32];
    int status;

    (void)state;
    assert_int_equal(loop_fini(), 0); /* a loop does not survive a fork */
    for (size_t i = 0; i < PROCESSES; i++)
        if ((children[i] = fork()) == 0)
            _exit(count_in_child(TIMES)); /* which also make the file, all at once */
    for (size_t i = 0; i < PROCESSES; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(loop_init(), 0);
    open_store();
    snprintf(want, sizeof(want), "{\"n\":%d}", PROCESSES * TIMES);
    assert_document("shared", want);
}

/* --- failures -------------------------------------------------------------------------------- */

static void assert_store_error(const struct err *e, const char *says) {
    assert_int_equal(e->code, ERR_STORE_ERROR);
    if (strstr(e->message, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e->message, says);
}

static const char *large_json(void) {
    static char json[300 * KIB];

    snprintf(json, sizeof(json), "{\"x\":\"%*s\"}", (int)sizeof(json) - 16, "x");
    return json;
}

static struct rlimit unlimited;

/* From here on no file of this process grows beyond so many bytes. */
static void limit_files(off_t bytes) {
    struct rlimit small;

    signal(SIGXFSZ, SIG_IGN); /* so that write() fails instead */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    small = unlimited;
    small.rlim_cur = (rlim_t)bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
}

static void unlimit_files(void) {
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    signal(SIGXFSZ, SIG_DFL);
}

static void test_a_disk_without_room(void **state) {
    (void)state;
    assert_created("kept", "{}");
    limit_files(200 * KIB);
    assert_store_error(&write_json(STORE_CREATE, "large", NULL, large_json())->reply.err, db_path);
    assert_document("large", NULL);
    assert_document("kept", "{}");
    assert_created("small", "{\"n\":1}"); /* there is room for this one */
    unlimit_files();
    assert_created("large", large_json());
    reopen_store();
    assert_document("small", "{\"n\":1}");
    assert_true(get("large")->reply.found);
}

/* Whatever was grouped with what: acknowledged is what is there, and nothing else. */
static void test_a_group_without_room(void **state) {
    enum { N = 40, LARGE = 20 };
    struct call calls[N] = {0};
    json_t *small = json_object(), *large = json_loads(large_json(), 0, NULL);
    sqlite3 *lock = hold_lock();
    char ids[N][8];

    (void)state;
    limit_files(200 * KIB);
    for (size_t i = 0; i < N; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%zu", i);
        calls[i].rq = (struct store_request){.verb = STORE_CREATE,
                                             .collection = "drafts",
                                             .id = ids[i],
                                             .fields = i == LARGE ? large : small};
        begin(&calls[i]);
    }
    release_lock(lock);
    wait_for_all();
    unlimit_files();
    assert_store_error(&calls[LARGE].reply.err, db_path);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(get(ids[i])->reply.found, calls[i].reply.err.code == ERR_NONE);
    json_decref(small);
    json_decref(large);
}

/* A file system that is really full, where one may be mounted: of such a size that what is left
 * beside large documents is room for many small ones. */
static void test_a_full_file_system(void **state) {
    unsigned n = 0;
    char id[16];

    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=2200k") != 0)
        skip();
    open_store();
    do {
        snprintf(id, sizeof(id), "%u", n++);
    } while (n < 10 && write_json(STORE_CREATE, id, NULL, large_json())->reply.err.code == 0);
    assert_store_error(&written.reply.err, "the disk is full");
    assert_string_equal(get(id)->reply.err.message, "");
    assert_false(got.reply.found);
    assert_created("small", "{}");
    assert_int_equal(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    assert_created(id, large_json());
    assert_int_equal(count_rows("document"), n + 1);
}

static int tear_down_small_disk(void **state) {
    store_fini(); /* before its file system goes */
    (void)umount(dir);
    return tear_down(state);
}

static void assert_no_store(const char *says) {
    struct err e = {0};

    assert_int_equal(store_init(&e), -1);
    assert_store_error(&e, says);
}

static void test_directories_that_cannot_be_used(void **state) {
    char inside[128], file[128];
    const struct {
        const char *data_dir, *says;
    } cases[] = {
        {inside, "DATA_DIR: cannot make the directory"},
        {file, "Not a directory"},
        {"/proc", "/proc/paraph.db: "},
    };

    (void)state;
    snprintf(inside, sizeof(inside), "%s/missing/data", dir);
    snprintf(file, sizeof(file), "%s/file", dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    fclose(fopen(file, "w"));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        env.data_dir = cases[i].data_dir;
        assert_no_store(cases[i].says);
    }
    env.data_dir = dir;
    open_store();
    assert_created("a", "{}");
}

/* Root may write everywhere, so the test gives that up for a while. */
static void test_what_may_only_be_read(void **state) {
    const uid_t user = geteuid(), nobody = 65534;

    (void)state;
    open_store();
    assert_created("a", "{}");
    store_fini();

    assert_int_equal(chmod(db_path, 0444), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(seteuid(user == 0 ? nobody : user), 0);
    assert_no_store("it may not be written");
    assert_int_equal(seteuid(user), 0);

    assert_int_equal(chmod(db_path, 0666), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    assert_int_equal(seteuid(user == 0 ? nobody : user), 0);
    assert_no_store("make the file and its directory writable");
    assert_int_equal(seteuid(user), 0);

    assert_int_equal(chmod(dir, 0700), 0);
    open_store();
    assert_document("a", "{}");
    assert_created("b", "{}");
}

static void test_the_files_are_private(void **state) {
    struct stat st;
    char path[128];

    (void)state;
    assert_created("a", "{}");
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(db_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof(path), "%s-wal", db_path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_stored_bodies_that_are_no_documents(void **state) {
    static const char *const bodies[] = {
        "''", "'{\"a\":1'", "'[]'", "'7'", "'null'", "x'00ff22'", "'{\"a\":1,\"a\":2}'", "17"};
    struct call list = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 10}};
    struct call count = {
        .rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = "bad", .counter = "n"}};
    char edit[128];

    (void)state;
    assert_created("bad", "{}");
    assert_created("good", "{}");
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        snprintf(edit, sizeof(edit), "UPDATE document SET body = %s WHERE id = 'bad'", bodies[i]);
        edit_database(edit);
        assert_store_error(&get("bad")->reply.err, "drafts/bad");
        assert_store_error(&write_json(STORE_UPDATE, "bad", NULL, "{}")->reply.err, "drafts/bad");
        finish(&count);
        assert_store_error(&count.reply.err, "drafts/bad");
        finish(&list);
        assert_store_error(&list.reply.err, "drafts/bad");
        assert_document("good", "{}");
    }
    store_reply_fini(&list.reply);
    assert_int_equal(write_json(STORE_DELETE, "bad", NULL, NULL)->reply.err.code, ERR_NONE);
    assert_created("bad", "{}");
}

static int schema(void) {
    sqlite3 *db = open_raw();
    sqlite3_stmt *st = NULL;
    int version;

    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return version;
}

static void test_a_newer_file_is_refused(void **state) {
    char back[64];

    (void)state;
    snprintf(back, sizeof(back), "PRAGMA user_version = %d", schema());
    store_fini();
    edit_database("PRAGMA user_version = 1000");
    assert_no_store("a newer program made it");
    edit_database(back);
    open_store();
}

/* It says that it is of our making, but is not. */
static void test_a_file_without_our_tables_is_refused(void **state) {
    (void)state;
    store_fini();
    edit_database("ALTER TABLE sequence RENAME TO away");
    assert_no_store("no such table: sequence");
    edit_database("ALTER TABLE away RENAME TO sequence");
    open_store();
}

/* A file as the first release made it, with what was in it. */
static void test_an_older_file_is_brought_up_to_date(void **state) {
    static const char first[] =
        "CREATE TABLE sequence (last INTEGER NOT NULL);"
        "INSERT INTO sequence VALUES (3);"
        "CREATE TABLE document (collection TEXT NOT NULL, id TEXT NOT NULL,"
        "  version INTEGER NOT NULL,"
        "  status TEXT AS (CASE WHEN json_valid(body) AND json_type(body, '$.status') = 'text'"
        "    THEN json_extract(body, '$.status') END) STORED,"
        "  created_at TEXT NOT NULL AS ("
        "    CASE WHEN json_valid(body) AND json_type(body, '$.created_at') = 'text'"
        "    THEN substr(rtrim(json_extract(body, '$.created_at'), 'Z'), 1, 64) ELSE '' END) STORED,"
        "  body TEXT NOT NULL, PRIMARY KEY (collection, id));"
        "CREATE INDEX document_newest ON document (collection, created_at, id);"
        "CREATE INDEX document_newest_by_status ON document (collection, status, created_at, id);"
        "CREATE TABLE part (collection TEXT NOT NULL, id TEXT NOT NULL, n INTEGER NOT NULL,"
        "  bytes BLOB NOT NULL, PRIMARY KEY (collection, id, n),"
        "  FOREIGN KEY (collection, id) REFERENCES document ON DELETE CASCADE);"
        "INSERT INTO document (collection, id, version, body) VALUES"
        "  ('drafts', 'a', 1, '{\"status\":\"pending\",\"waiting\":\"held\"}'),"
        "  ('drafts', 'b', 2, '{\"waiting\":[]}'), ('drafts', 'bad', 3, 'no JSON');"
        "INSERT INTO part VALUES ('drafts', 'a', 0, x'00');"
        "PRAGMA user_version = 1;";
    struct call c = {.rq = {.verb = STORE_QUERY,
                            .collection = "drafts",
                            .where = "waiting",
                            .is = "held",
                            .limit = 10}};
    int newest;

    (void)state;
    newest = schema();
    store_fini();
    assert_int_equal(unlink(db_path), 0);
    edit_database(first);
    open_store();
    assert_int_equal(schema(), newest);
    assert_document("a", "{\"status\":\"pending\",\"waiting\":\"held\"}");
    assert_string_equal(get("a")->reply.version, "1");
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.ndocs, 1);
    assert_string_equal(c.reply.docs[0].id, "a");
    assert_int_equal(write_json(STORE_UPDATE, "b", NULL, "{\"waiting\":\"held\"}")->reply.err.code,
                     ERR_NONE);
    assert_string_equal(written.reply.version, "4");
    c.rq.verb = STORE_COUNT;
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.count, 2);
    reopen_store();
    assert_int_equal(schema(), newest);
}

/* What cannot even be prepared is told as what fails later, and leaves nothing undone. */
static void test_a_table_that_is_gone(void **state) {
    (void)state;
    edit_database("ALTER TABLE element RENAME TO elsewhere");
    assert_store_error(&get("one")->reply.err, "no such table: element");
    edit_database("ALTER TABLE document RENAME TO away");
    assert_store_error(&write_json(STORE_CREATE, "one", NULL, "{}")->reply.err,
                       "no such table: document");
    edit_database("ALTER TABLE away RENAME TO document");
    edit_database("ALTER TABLE elsewhere RENAME TO element");
    assert_created("one", "{}");
    assert_document("one", "{}");
}

static void test_a_file_that_is_no_database(void **state) {
    FILE *f;

    (void)state;
    assert_int_equal(mkdir(dir, 0700), 0);
    f = fopen(db_path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("This is a letter. ", f);
    fclose(f);
    assert_no_store("it is no database");
    assert_int_equal(unlink(db_path), 0);
}

int main(void) {
#define OPEN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define SHUT(f) cmocka_unit_test_setup_teardown(f, set_up_directory, tear_down)
    const struct CMUnitTest tests[] = {
        OPEN(test_many_creates_are_few_commits),
        OPEN(test_a_refusal_spares_its_neighbours),
        OPEN(test_a_failure_halfway_undoes_that_write_alone),
        OPEN(test_only_one_of_two_claims_wins),
        OPEN(test_cancel),
        OPEN(test_cancel_inside_done),
        OPEN(test_the_queue_has_an_end),
        OPEN(test_fini_waits_for_what_is_queued),
        OPEN(test_a_disk_without_room),
        OPEN(test_a_group_without_room),
        OPEN(test_the_files_are_private),
        OPEN(test_stored_bodies_that_are_no_documents),
        OPEN(test_a_table_that_is_gone),
        OPEN(test_a_newer_file_is_refused),
        OPEN(test_a_file_without_our_tables_is_refused),
        OPEN(test_an_older_file_is_brought_up_to_date),
        SHUT(test_processes_share_the_file),
        SHUT(test_directories_that_cannot_be_used),
        SHUT(test_what_may_only_be_read),
        SHUT(test_a_file_that_is_no_database),
        cmocka_unit_test_setup_teardown(test_a_full_file_system, set_up_directory,
                                        tear_down_small_disk),
    };

    return cmocka_run_group_tests_name("sqlite writer", tests, NULL, NULL);
}
