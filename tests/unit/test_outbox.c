#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
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

/* --- a directory, a loop and an outbox for every test ---------------------------------------- */

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

/* --- sends ----------------------------------------------------------------------------------- */

struct outcome {
    unsigned calls;
    struct mail_reply reply;
};

static void on_done(struct mail_reply *reply, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->reply = *reply;
    reply->found = NULL;
    reply->signature = reply->in_reply_to = reply->references = NULL;
}

static struct mail_call *start_with(enum mail_verb verb, const char *text, const char *key,
                                    struct outcome *o) {
    struct blob *message = blob_copy(text, strlen(text));
    const char *const recipients[] = {"bob@example.org"};
    const struct mail_request rq = {.verb = verb,
                                    .sender = "me@example.org",
                                    .message = message,
                                    .key = key,
                                    .recipients = recipients,
                                    .nrecipients = 1};
    struct mail_call *c;

    assert_non_null(message);
    *o = (struct outcome){0};
    c = outbox_backend.start(&rq, on_done, o);
    blob_unref(message); /* what is under way has a reference of its own */
    return c;
}

static struct mail_call *start(const char *text, struct outcome *o) {
    return start_with(MAIL_SEND, text, KEY, o);
}

static struct mail_reply send_text(const char *text) {
    struct outcome o;

    assert_non_null(start(text, &o));
    assert_int_equal(o.calls, 0); /* never on the loop */
    loop_run();
    assert_int_equal(o.calls, 1);
    return o.reply;
}

static struct mail_reply create_draft(const char *text, const char *key) {
    struct outcome o;

    assert_non_null(start_with(MAIL_DRAFT_CREATE, text, key, &o));
    loop_run();
    assert_int_equal(o.calls, 1);
    return o.reply;
}

static struct mail_call *start_draft(enum mail_verb verb, const char *id, struct outcome *o) {
    const struct mail_request rq = {
        .verb = verb, .draft_id = id, .mailbox = "me@example.org", .key = KEY};

    *o = (struct outcome){0};
    return outbox_backend.start(&rq, on_done, o);
}

static struct mail_reply do_draft(enum mail_verb verb, const char *id) {
    struct outcome o;

    assert_non_null(start_draft(verb, id, &o));
    loop_run();
    assert_int_equal(o.calls, 1);
    return o.reply;
}

static void test_send(void **state) {
    struct mail_reply reply = send_text("Subject: one\r\n\r\n"), other;
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

    other = send_text("Subject: two\r\n\r\n");
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

/* --- drafts ---------------------------------------------------------------------------------- */

static void test_draft_is_sent_once(void **state) {
    struct mail_reply draft = create_draft("first", "6BA7B810-9DAD-41D1-80B4-00C04FD430C8"), sent;

    (void)state;
    assert_int_equal(draft.err.code, ERR_NONE);
    assert_string_equal(draft.mailbox, "me@example.org");
    assert_int_equal(count_files("new", NULL), 0);
    assert_int_equal(count_files("tmp", NULL), 1);
    assert_true(do_draft(MAIL_DRAFT_GET, draft.id).exists);

    sent = do_draft(MAIL_DRAFT_SEND, draft.id);
    assert_int_equal(sent.err.code, ERR_NONE);
    assert_string_equal(sent.id, KEY);
    assert_int_equal(count_files("new", NULL), 1);
    assert_int_equal(count_files("tmp", NULL), 0);
    assert_file("new/" KEY ".paraph", "first");

    sent = do_draft(MAIL_DRAFT_SEND, draft.id);
    assert_int_equal(sent.err.code, ERR_NOT_FOUND);
    assert_false(sent.unknown);
    assert_int_equal(count_files("new", NULL), 1);
}

static void assert_fate(const char *id, enum mail_fate fate) {
    struct mail_reply gone = do_draft(MAIL_DRAFT_GET, id);

    assert_int_equal(gone.err.code, ERR_NONE);
    assert_false(gone.exists);
    assert_string_equal(gone.id, KEY);
    assert_int_equal(gone.fate, fate);
}

static void test_what_became_of_a_draft(void **state) {
    struct mail_reply draft = create_draft("x", KEY);
    char to[512];

    (void)state;
    assert_int_equal(do_draft(MAIL_DRAFT_SEND, draft.id).err.code, ERR_NONE);
    assert_fate(draft.id, MAIL_FATE_SENT);
    snprintf(to, sizeof(to), "%s", path_of("cur/" KEY ".paraph:2,S")); /* a reader has seen it */
    assert_int_equal(rename(path_of("new/" KEY ".paraph"), to), 0);
    assert_fate(draft.id, MAIL_FATE_SENT);
    assert_int_equal(unlink(to), 0); /* a reader has taken it */
    assert_fate(draft.id, MAIL_FATE_UNKNOWN);
}

static void test_deleted_draft_is_not_sent(void **state) {
    struct mail_reply draft = create_draft("x", KEY);

    (void)state;
    assert_true(do_draft(MAIL_DRAFT_DELETE, draft.id).exists);
    assert_int_equal(do_draft(MAIL_DRAFT_DELETE, draft.id).err.code, ERR_NONE);
    assert_false(do_draft(MAIL_DRAFT_DELETE, draft.id).exists);
    assert_int_equal(do_draft(MAIL_DRAFT_SEND, draft.id).err.code, ERR_NOT_FOUND);
    assert_int_equal(count_files("new", NULL) + count_files("tmp", NULL), 0);
}

/* Two attempts at one message do not touch each other's draft. */
static void test_drafts_of_one_key(void **state) {
    struct mail_reply one = create_draft("one", KEY), two = create_draft("two", KEY);

    (void)state;
    assert_string_not_equal(one.id, two.id);
    assert_int_equal(do_draft(MAIL_DRAFT_DELETE, one.id).err.code, ERR_NONE);
    assert_true(do_draft(MAIL_DRAFT_GET, two.id).exists);
    assert_int_equal(do_draft(MAIL_DRAFT_SEND, two.id).err.code, ERR_NONE);
    assert_file("new/" KEY ".paraph", "two");
}

static void test_drafts_of_a_key_are_found(void **state) {
    struct mail_reply one = create_draft("one", KEY), two = create_draft("two", KEY), found;

    (void)state;
    create_draft("other", "11111111-2222-4333-8444-555555555555");
    found = do_draft(MAIL_DRAFT_FIND, NULL);
    assert_int_equal(found.err.code, ERR_NONE);
    assert_int_equal(found.nfound, 2);
    assert_true(do_draft(MAIL_DRAFT_DELETE, found.found[0]).exists);
    assert_true(do_draft(MAIL_DRAFT_DELETE, found.found[1]).exists);
    mail_reply_fini(&found);
    assert_false(do_draft(MAIL_DRAFT_GET, one.id).exists);
    assert_false(do_draft(MAIL_DRAFT_GET, two.id).exists);
    assert_int_equal(do_draft(MAIL_DRAFT_FIND, NULL).nfound, 0);
    assert_int_equal(count_files("tmp", NULL), 1);
}

static void test_many_at_once_send_one(void **state) {
    struct outcome outcomes[16];
    struct mail_reply draft = create_draft("x", KEY);
    unsigned sent = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        assert_non_null(start_draft(MAIL_DRAFT_SEND, draft.id, &outcomes[i]));
    loop_run();
    for (size_t i = 0; i < COUNT_OF(outcomes); i++) {
        assert_int_equal(outcomes[i].calls, 1);
        if (outcomes[i].reply.err.code == ERR_NONE)
            sent++;
        else
            assert_int_equal(outcomes[i].reply.err.code, ERR_NOT_FOUND);
    }
    assert_int_equal(sent, 1);
}

static void test_no_draft_of_ours(void **state) {
    static const char *const ids[] = {"",
                                      KEY,
                                      "r-1234567890",
                                      "../new/" KEY,
                                      KEY "/" KEY,
                                      KEY "." KEY "x",
                                      KEY ".../../../../../../../../../../etc/passwd"};
    static const enum mail_verb verbs[] = {MAIL_DRAFT_SEND, MAIL_DRAFT_GET, MAIL_DRAFT_DELETE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        for (size_t v = 0; v < COUNT_OF(verbs); v++) {
            struct outcome o;

            assert_null(start_draft(verbs[v], ids[i], &o));
            assert_int_equal(o.calls, 1);
            assert_int_equal(o.reply.err.code, ERR_INVALID_FIELD);
        }
}

/* --- refusals and failures ------------------------------------------------------------------- */

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
    char name[256];

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
        snprintf(name, sizeof(name), "new/%s.paraph", o.reply.id);
        unlink(path_of(name));
    }
    blob_unref(message);
}

static void test_key_must_be_a_uuid(void **state) {
    static const char *const keys[] = {"", "..", "../../etc/passwd", KEY "/x", KEY ":2,S"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct outcome o;

        assert_null(start_with(MAIL_DRAFT_CREATE, "x", keys[i], &o));
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
    reply = send_text("x");
    assert_store_error(&reply, "removed");
    assert_int_equal(count_files("tmp", NULL), 0);
    assert_int_equal(rmdir(path_of("tmp")), 0);
    reply = send_text("x");
    assert_store_error(&reply, "removed");
}

static void test_no_permission(void **state) {
    struct mail_reply reply;
    struct err e = {0};

    (void)state;
    assert_int_equal(chmod(path_of("new"), 0), 0);
    if (geteuid() == 0) /* root may write anywhere */
        assert_int_equal(seteuid(NOBODY), 0);
    reply = send_text("x");
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
    reply = send_text(text);
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
    assert_int_equal(send_text("x").err.code, ERR_NONE);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

/* --- housekeeping ---------------------------------------------------------------------------- */

static void test_stale_files_are_removed(void **state) {
    static const struct {
        const char *name;
        time_t age_s;
        bool kept;
    } cases[] = {
        {"tmp/old", 37 * 3600, false}, {"tmp/young", 35 * 3600, true},
        {"tmp/fresh", 0, true},        {"new/old", 37 * 3600, true},
        {"cur/old", 37 * 3600, true},  {"tmp/" KEY "." KEY ".draft", 37 * 3600, true},
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
    struct mail_call *c = start("x", &o);

    (void)state;
    assert_non_null(c);
    assert_true(outbox_backend.cancel(c)); /* it may leave all the same */
    loop_run();
    assert_int_equal(o.calls, 0);
    assert_int_equal(count_files("tmp", NULL), 0);
}

static void test_queue_has_an_end(void **state) {
    static struct outcome outcomes[OUTBOX_WORKS_MAX];
    struct outcome one_more;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        assert_non_null(start("x", &outcomes[i]));
    assert_null(start("x", &one_more));
    assert_int_equal(one_more.reply.err.code, ERR_OVERLOADED);
    assert_true(one_more.reply.err.retry_after > 0);
    loop_run();
    assert_int_equal(count_files("new", NULL), OUTBOX_WORKS_MAX);
    assert_non_null(start("x", &one_more));
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

static void test_answers_are_taken_at_their_word(void **state) {
    const struct mail_request rq = {.verb = MAIL_REPLY,
                                    .sender = "me@example.org",
                                    .thread_id = "t-1",
                                    .in_reply_to = "one@example.org"};
    struct outcome o = {0};

    (void)state;
    assert_null(outbox_backend.start(&rq, on_done, &o));
    assert_string_equal(o.reply.in_reply_to, "one@example.org");
    assert_string_equal(o.reply.thread_id, "t-1");
    assert_null(o.reply.references);
    free(o.reply.in_reply_to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_send),
        TEST(test_thread_is_the_one_asked_for),
        TEST(test_directories_are_private),
        TEST(test_draft_is_sent_once),
        TEST(test_what_became_of_a_draft),
        TEST(test_drafts_of_a_key_are_found),
        TEST(test_deleted_draft_is_not_sent),
        TEST(test_drafts_of_one_key),
        TEST(test_many_at_once_send_one),
        TEST(test_no_draft_of_ours),
        TEST(test_rehearsed_refusals),
        TEST(test_key_must_be_a_uuid),
        TEST(test_directory_removed),
        TEST(test_no_permission),
        TEST(test_failed_write_leaves_nothing),
        TEST(test_data_dir_is_a_file),
        TEST(test_data_dir_is_made),
        TEST(test_stale_files_are_removed),
        TEST(test_cancel),
        TEST(test_queue_has_an_end),
        TEST(test_signature),
        TEST(test_answers_are_taken_at_their_word),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
