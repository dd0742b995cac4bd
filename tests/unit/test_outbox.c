#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "env.h"
#include "loop.h"
#include "outbox.h"

#define KEY    "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
#define NOBODY 65534

static char data_dir[64];

/* --- a directory, a loop and an outbox for every test ------------------------------------------
 */

static int set_up(void **state) {
    (void)state;
    snprintf(data_dir, sizeof(data_dir), "/tmp/test_outbox.XXXXXX");
    if (mkdtemp(data_dir) == NULL)
        return -1;
    env = (struct env){.data_dir = data_dir, .local_signature = "<p>Zoë</p>"};
    return loop_init() == 0 && outbox_backend.init(NULL) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state) {
    (void)state;
    if (loop_fini() != 0)
        return -1;
    return nftw(data_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static char *path_of(const char *name) {
    static char path[512];

    snprintf(path, sizeof(path), "%s/outbox/%s", data_dir, name);
    return path;
}

/* How many files there are in a directory of the outbox; the name of one of them in `name`. */
static unsigned count_files(const char *dir_name, char name[256]) {
    DIR *dir = opendir(path_of(dir_name));
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (name != NULL)
            snprintf(name, 256, "%s", entry->d_name);
    }
    closedir(dir);
    return n;
}

static void write_file(const char *name, const char *text) {
    FILE *f = fopen(path_of(name), "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *name, const char *text) {
    char content[256] = "";
    FILE *f = fopen(path_of(name), "r");

    assert_non_null(f);
    content[fread(content, 1, sizeof(content) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(content, text);
}

/* --- sends -------------------------------------------------------------------------------------
 */

struct outcome {
    unsigned calls;
    struct mail_reply reply;
};

static void on_done(struct mail_reply *reply, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->reply = *reply;
    reply->signature = NULL;
}

static struct mail_call *start(const char *text, const char *key, struct outcome *o) {
    struct blob *message = blob_copy(text, strlen(text));
    const char *const recipients[] = {"bob@example.org"};
    const struct mail_request rq = {.verb = MAIL_SEND,
                                    .sender = "me@example.org",
                                    .message = message,
                                    .key = key,
                                    .recipients = recipients,
                                    .nrecipients = 1};
    struct mail_call *c;

    assert_non_null(message);
    *o = (struct outcome){0};
    c = outbox_backend.start(&rq, on_done, o);
    blob_unref(message); /* a send under way has a reference of its own */
    return c;
}

static struct mail_reply send_text(const char *text, const char *key) {
    struct outcome o;

    assert_non_null(start(text, key, &o));
    assert_int_equal(o.calls, 0); /* never on the loop */
    loop_run();
    assert_int_equal(o.calls, 1);
    return o.reply;
}

static void test_send(void **state) {
    struct mail_reply reply = send_text("Subject: one\r\n\r\n", NULL), other;
    char name[256];
    struct stat st;

    (void)state;
    assert_int_equal(reply.err.code, ERR_NONE);
    assert_int_equal(strlen(reply.id), 36);
    assert_string_equal(reply.thread_id, reply.id);
    assert_int_equal(count_files("new", name), 1);
    assert_memory_equal(name, reply.id, 36);
    assert_string_equal(name + 36, ".paraph");
    snprintf(name, sizeof(name), "new/%s.paraph", reply.id);
    assert_file(name, "Subject: one\r\n\r\n");
    assert_int_equal(stat(path_of(name), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(count_files("tmp", NULL), 0);

    other = send_text("Subject: two\r\n\r\n", NULL);
    assert_string_not_equal(other.id, reply.id);
    assert_int_equal(count_files("new", NULL), 2);
}

static void test_thread_is_the_one_asked_for(void **state) {
    struct blob *message = blob_copy("x", 1);
    const struct mail_request rq = {.message = message, .key = KEY, .thread_id = "18c2f0"};
    struct outcome o = {0};

    (void)state;
    assert_non_null(outbox_backend.start(&rq, on_done, &o));
    blob_unref(message);
    loop_run();
    assert_string_equal(o.reply.id, KEY);
    assert_string_equal(o.reply.thread_id, "18c2f0");
}

static void test_directories_are_private(void **state) {
    static const char *const dirs[] = {"", "tmp", "new", "cur"};
    struct stat st;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        assert_int_equal(stat(path_of(dirs[i]), &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0700);
    }
}

/* --- once --------------------------------------------------------------------------------------
 */

static void test_key_is_the_name(void **state) {
    struct mail_reply first = send_text("first", KEY),
                      second = send_text("second", "6BA7B810-9DAD-41D1-80B4-00C04FD430C8");

    (void)state;
    assert_int_equal(first.err.code, ERR_NONE);
    assert_int_equal(second.err.code, ERR_NONE);
    assert_string_equal(first.id, KEY);
    assert_string_equal(second.id, KEY);
    assert_int_equal(count_files("new", NULL), 1);
    assert_int_equal(count_files("tmp", NULL), 0);
    assert_file("new/" KEY ".paraph", "first");
}

static void test_taken_counts_as_sent(void **state) {
    static const struct {
        const char *name;
        unsigned sent; /* again */
    } cases[] = {
        {"cur/" KEY ".paraph:2,", 0},        {"cur/" KEY ".paraph:2,FRSab", 0},
        {"cur/" KEY ".paraph", 0},           {"cur/" KEY ".paraph,S=5:2,S", 0},
        {"cur/" KEY ".paraphernalia:2,", 1}, {"cur/" KEY ":2,", 1},
        {"tmp/" KEY ".paraph", 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail_reply reply;

        write_file(cases[i].name, "taken");
        reply = send_text("again", KEY);
        assert_int_equal(reply.err.code, ERR_NONE);
        assert_string_equal(reply.id, KEY);
        assert_int_equal(count_files("new", NULL), cases[i].sent);
        unlink(path_of("new/" KEY ".paraph"));
        assert_int_equal(unlink(path_of(cases[i].name)), 0);
    }
}

/* A reader on a thread of its own that takes the mail the moment it appears. */
static atomic_bool reading;

static void *run_reader(void *arg) {
    char from[512], to[512];
    unsigned *taken = arg;

    snprintf(from, sizeof(from), "%s/outbox/new/" KEY ".paraph", data_dir);
    snprintf(to, sizeof(to), "%s/outbox/cur/" KEY ".paraph:2,", data_dir);
    while (atomic_load(&reading))
        if (rename(from, to) == 0)
            (*taken)++;
    return NULL;
}

static void send_many_to_a_reader(void) {
    struct outcome outcomes[16];
    unsigned taken = 0;
    pthread_t reader;

    atomic_store(&reading, true);
    assert_int_equal(pthread_create(&reader, NULL, run_reader, &taken), 0);
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        assert_non_null(start("x", KEY, &outcomes[i]));
    loop_run();
    atomic_store(&reading, false);
    pthread_join(reader, NULL);
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].reply.err.code, ERR_NONE);
        assert_string_equal(outcomes[i].reply.id, KEY);
    }
    assert_int_equal(taken + count_files("new", NULL), 1);
}

static void test_many_at_once_are_one(void **state) {
    char name[32];

    (void)state;
    for (int i = 0; i < 500; i++) { /* to look through cur/ takes a while */
        snprintf(name, sizeof(name), "cur/%d.other:2,S", i);
        write_file(name, "");
    }
    for (int round = 0; round < 8; round++) {
        send_many_to_a_reader();
        unlink(path_of("new/" KEY ".paraph"));
        unlink(path_of("cur/" KEY ".paraph:2,"));
    }
}

/* --- refusals and failures ---------------------------------------------------------------------
 */

static void test_rehearsed_refusals(void **state) {
    static const struct {
        const char *recipient;
        enum err_code code;
        int retry_after;
        const char *says;
    } cases[] = {
        {"tempfail@example.test", ERR_GMAIL_ERROR, 30, "for now"},
        {"permfail@example.test", ERR_GMAIL_ERROR, 0, "for good"},
        {"TempFail@test", ERR_GMAIL_ERROR, 30, "for now"},
        {"permfail@a.b.TEST", ERR_GMAIL_ERROR, 0, "for good"},
        {"tempfail@example.org", ERR_NONE, 0, ""},
        {"tempfail@contest", ERR_NONE, 0, ""},
        {"tempfail@example.test.org", ERR_NONE, 0, ""},
        {"tempfail2@example.test", ERR_NONE, 0, ""},
        {"xpermfail@example.test", ERR_NONE, 0, ""},
        {"permfai@example.test", ERR_NONE, 0, ""},
        {"permfail", ERR_NONE, 0, ""},
    };
    struct blob *message = blob_copy("x", 1);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const recipients[] = {"bob@example.test", cases[i].recipient};
        const struct mail_request rq = {.message = message,
                                        .key = KEY,
                                        .recipients = recipients,
                                        .nrecipients = COUNT_OF(recipients)};
        struct outcome o = {0};
        bool refused = cases[i].code != ERR_NONE;

        assert_true((outbox_backend.start(&rq, on_done, &o) == NULL) == refused);
        loop_run();
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.reply.err.code, cases[i].code);
        assert_int_equal(o.reply.err.retry_after, cases[i].retry_after);
        assert_non_null(strstr(o.reply.err.message, cases[i].says));
        assert_false(o.reply.unknown);
        assert_int_equal(count_files("new", NULL), refused ? 0 : 1);
        unlink(path_of("new/" KEY ".paraph"));
    }
    blob_unref(message);
}

static void test_key_must_be_a_uuid(void **state) {
    static const char *const keys[] = {"", "..", "../../etc/passwd", KEY "/x", KEY ":2,S"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct outcome o;

        assert_null(start("x", keys[i], &o));
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.reply.err.code, ERR_INVALID_FIELD);
    }
    assert_int_equal(count_files("new", NULL) + count_files("tmp", NULL), 0);
}

static void assert_store_error(const struct mail_reply *reply, const char *says) {
    assert_int_equal(reply->err.code, ERR_STORE_ERROR);
    assert_int_equal(err_status(reply->err.code), 503);
    assert_non_null(strstr(reply->err.message, data_dir));
    assert_non_null(strstr(reply->err.message, says));
    assert_false(reply->unknown);
}

static void test_directory_removed(void **state) {
    struct mail_reply reply;

    (void)state;
    assert_int_equal(rmdir(path_of("new")), 0);
    reply = send_text("x", NULL);
    assert_store_error(&reply, "removed");
    assert_int_equal(count_files("tmp", NULL), 0);
    assert_int_equal(rmdir(path_of("tmp")), 0);
    reply = send_text("x", NULL);
    assert_store_error(&reply, "removed");
}

/* cur/ that cannot be read: nobody knows whether the mail was sent already, so it is not. */
static void test_doubt_is_no(void **state) {
    struct mail_reply reply;

    (void)state;
    assert_int_equal(rmdir(path_of("cur")), 0);
    reply = send_text("x", KEY);
    assert_store_error(&reply, "removed");
    assert_int_equal(count_files("new", NULL) + count_files("tmp", NULL), 0);
}

static void test_no_permission(void **state) {
    struct mail_reply reply;
    struct err e = {0};

    (void)state;
    assert_int_equal(chmod(path_of("new"), 0), 0);
    if (geteuid() == 0) /* root may write anywhere */
        assert_int_equal(seteuid(NOBODY), 0);
    reply = send_text("x", NULL);
    assert_int_equal(outbox_backend.init(&e), -1);
    assert_int_equal(seteuid(getuid()), 0);
    assert_store_error(&reply, "let the user");
    assert_int_equal(e.code, ERR_STORE_ERROR);
    assert_non_null(strstr(e.message, "let the user"));
    assert_int_equal(chmod(path_of("new"), 0700), 0);
    assert_int_equal(count_files("tmp", NULL), 0);
}

/* As on a full disk, the first write succeeds in part and the next one fails. */
static void test_failed_write_leaves_nothing(void **state) {
    struct rlimit before, limit;
    struct mail_reply reply;
    char text[8192];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    reply = send_text(text, KEY);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_store_error(&reply, "File too large");
    assert_int_equal(count_files("new", NULL) + count_files("tmp", NULL), 0);
}

static void test_data_dir_is_a_file(void **state) {
    static char file[128];
    struct err e = {0};
    FILE *f;

    (void)state;
    snprintf(file, sizeof(file), "%s/file", data_dir);
    f = fopen(file, "w");
    assert_non_null(f);
    fclose(f);
    env.data_dir = file;
    assert_int_equal(outbox_backend.init(&e), -1);
    assert_int_equal(e.code, ERR_STORE_ERROR);
    assert_non_null(strstr(e.message, file));
}

static void test_data_dir_is_made(void **state) {
    static char deep[128];
    struct stat st;

    (void)state;
    snprintf(deep, sizeof(deep), "%s/a/b", data_dir);
    env.data_dir = deep;
    assert_int_equal(outbox_backend.init(NULL), 0);
    assert_int_equal(send_text("x", NULL).err.code, ERR_NONE);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

/* --- housekeeping ------------------------------------------------------------------------------
 */

static void test_stale_files_are_removed(void **state) {
    static const struct {
        const char *name;
        time_t age_s;
        bool kept;
    } cases[] = {
        {"tmp/old", 37 * 3600, false}, {"tmp/young", 35 * 3600, true}, {"tmp/fresh", 0, true},
        {"new/old", 37 * 3600, true},  {"cur/old", 37 * 3600, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct timespec then = {.tv_sec = time(NULL) - cases[i].age_s};

        write_file(cases[i].name, "x");
        assert_int_equal(
            utimensat(AT_FDCWD, path_of(cases[i].name), (struct timespec[]){then, then}, 0), 0);
    }
    assert_int_equal(outbox_backend.init(NULL), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(access(path_of(cases[i].name), F_OK) == 0, cases[i].kept);
}

static void test_cancel(void **state) {
    struct outcome o;
    struct mail_call *c = start("x", KEY, &o);

    (void)state;
    assert_non_null(c);
    outbox_backend.cancel(c);
    loop_run();
    assert_int_equal(o.calls, 0);
    assert_int_equal(count_files("tmp", NULL), 0);
}

static void test_queue_has_an_end(void **state) {
    static struct outcome outcomes[OUTBOX_SENDS_MAX];
    struct outcome one_more;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        assert_non_null(start("x", NULL, &outcomes[i]));
    assert_null(start("x", NULL, &one_more));
    assert_int_equal(one_more.reply.err.code, ERR_OVERLOADED);
    assert_true(one_more.reply.err.retry_after > 0);
    loop_run();
    assert_int_equal(count_files("new", NULL), OUTBOX_SENDS_MAX);
    assert_non_null(start("x", NULL, &one_more));
    loop_run();
    assert_int_equal(one_more.reply.err.code, ERR_NONE);
}

static void test_signature(void **state) {
    const struct mail_request rq = {.verb = MAIL_SIGNATURE, .sender = "me@example.org"};
    struct outcome o = {0};

    (void)state;
    assert_null(outbox_backend.start(&rq, on_done, &o));
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.signature, "<p>Zoë</p>");
    free(o.reply.signature);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_send),
        TEST(test_thread_is_the_one_asked_for),
        TEST(test_directories_are_private),
        TEST(test_key_is_the_name),
        TEST(test_taken_counts_as_sent),
        TEST(test_many_at_once_are_one),
        TEST(test_rehearsed_refusals),
        TEST(test_key_must_be_a_uuid),
        TEST(test_directory_removed),
        TEST(test_doubt_is_no),
        TEST(test_no_permission),
        TEST(test_failed_write_leaves_nothing),
        TEST(test_data_dir_is_a_file),
        TEST(test_data_dir_is_made),
        TEST(test_stale_files_are_removed),
        TEST(test_cancel),
        TEST(test_queue_has_an_end),
        TEST(test_signature),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
