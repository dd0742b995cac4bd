/* Writes that come in together share a commit, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "store_fixture.h"

static void test_a_turn_is_one_commit(void **state) {
    enum { N = 10 };
    struct call calls[N] = {0};
    char ids[N][8];
    unsigned before;

    (void)state;
    before = count_commits();
    for (size_t i = 0; i < N; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%zu", i);
        calls[i].rq =
            (struct store_request){.verb = STORE_CREATE, .collection = "drafts", .id = ids[i]};
        begin(&calls[i]);
    }
    wait_for_all();
    assert_int_equal(count_commits() - before, 1);
    for (size_t i = 0; i < N; i++)
        assert_document(ids[i], "{}");
}

static void test_what_is_refused_is_no_commit(void **state) {
    unsigned before;

    (void)state;
    assert_created("a", "{}");
    before = count_commits();
    assert_int_equal(write_json(STORE_CREATE, "a", NULL, "{}")->reply.err.code, ERR_ALREADY_EXISTS);
    assert_int_equal(write_json(STORE_UPDATE, "a", "0", "{}")->reply.err.code, ERR_CONFLICT);
    assert_false(write_json(STORE_UPDATE, "b", NULL, "{}")->reply.found);
    assert_int_equal(count_commits() - before, 0);
}

/* Each of these is alone with its refusal, wherever it is in the group. */
static void test_every_writer_has_its_own_outcome(void **state) {
    struct blob *parts[] = {blob_copy("0", 1), blob_copy("1", 1)};
    const struct {
        struct store_request rq;
        enum err_code code;
        const char *then; /* the document, afterwards */
    } cases[] = {
        {{.verb = STORE_CREATE, .id = "new"}, ERR_NONE, "{}"},
        {{.verb = STORE_UPDATE, .id = "a", .version = "0"}, ERR_CONFLICT, "{\"a\":1}"},
        {{.verb = STORE_CREATE, .id = "a"}, ERR_ALREADY_EXISTS, "{\"a\":1}"},
        {{.verb = STORE_INCREMENT, .id = "counted", .counter = "n"}, ERR_NONE, "{\"n\":2}"},
        {{.verb = STORE_CREATE, .id = "half", .parts = parts, .nparts = 2}, ERR_STORE_ERROR, NULL},
        {{.verb = STORE_DELETE, .id = "a", .version = "0"}, ERR_CONFLICT, "{\"a\":1}"},
        {{.verb = STORE_DELETE, .id = "gone"}, ERR_NONE, NULL},
        {{.verb = STORE_INCREMENT, .id = "none", .counter = "n"}, ERR_NONE, NULL},
        {{.verb = STORE_INCREMENT, .id = "counted", .counter = "n"}, ERR_NONE, "{\"n\":2}"},
        {{.verb = STORE_CREATE, .id = "last", .parts = parts, .nparts = 2}, ERR_NONE, "{}"},
    };
    struct call calls[COUNT_OF(cases)] = {0};
    unsigned before;

    (void)state;
    assert_created("a", "{\"a\":1}");
    assert_created("gone", "{}");
    assert_created("counted", "{}");
    edit_database("INSERT INTO part VALUES ('drafts', 'half', 1, x'00')");
    before = count_commits();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        calls[i].rq = cases[i].rq;
        calls[i].rq.collection = "drafts";
        begin(&calls[i]);
    }
    wait_for_all();
    assert_int_equal(count_commits() - before, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(calls[i].reply.err.code, cases[i].code);
        assert_document(cases[i].rq.id, cases[i].then);
    }
    assert_string_equal(get("new")->reply.version, calls[0].reply.version);
    assert_string_equal(get("last")->reply.version, calls[COUNT_OF(cases) - 1].reply.version);
    assert_string_not_equal(calls[0].reply.version, calls[COUNT_OF(cases) - 1].reply.version);
    blob_unref(parts[0]);
    blob_unref(parts[1]);
}

/* What cannot be written with a document takes it along, and here their whole group. */
static void test_written_together_or_not(void **state) {
    json_t *fields = json_object();
    const struct store_companion with[] = {{"beside", "1", fields}, {"refused", "2", fields}};
    struct call call = {.rq = {.verb = STORE_CREATE, .collection = "drafts", .id = "a"}};

    (void)state;
    edit_database("CREATE TRIGGER t BEFORE INSERT ON document WHEN new.collection = 'refused'"
                  " BEGIN SELECT RAISE(ABORT, 'no'); END");
    call.rq.fields = fields;
    call.rq.with = with;
    for (size_t n = 2; n >= 1; n--) {
        call.rq.nwith = n;
        begin(&call);
        wait_for_all();
        assert_int_equal(call.reply.err.code, n == 2 ? ERR_STORE_ERROR : ERR_NONE);
        store_reply_fini(&call.reply);
        assert_document("a", n == 2 ? NULL : "{}");
    }
    json_decref(fields);
}

static void test_counts_that_come_in_together_are_exact(void **state) {
    enum { N = 300 };
    static struct call calls[N];
    json_t *list;

    (void)state;
    memset(calls, 0, sizeof(calls));
    assert_created("a", "{}");
    for (size_t i = 0; i < N; i++) {
        calls[i].rq = (struct store_request){.verb = STORE_INCREMENT,
                                             .collection = "drafts",
                                             .id = "a",
                                             .counter = "n",
                                             .append = json_pack("{s:i}", "l", (int)i)};
        begin(&calls[i]);
        json_decref(calls[i].rq.append);
    }
    wait_for_all();
    for (size_t i = 0; i < N; i++)
        assert_int_equal(calls[i].reply.err.code, ERR_NONE);
    assert_int_equal(json_integer_value(json_object_get(get("a")->reply.fields, "n")), N);
    list = json_object_get(got.reply.fields, "l");
    assert_int_equal(json_array_size(list), N);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(json_integer_value(json_array_get(list, i)), i);
}

/* From here on the process dies when one of its threads writes so far behind the start of a file.
 */
static void die_behind(uint32_t offset) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, offset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {COUNT_OF(code), code};

    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
        _exit(2);
}

enum { CUT_OFF = 15 };

/* Two writes that are acknowledged, and a group in whose log this process dies. */
static void die_in_a_group(void) {
    static char large[64 * KIB];
    struct call calls[CUT_OFF] = {0};
    char ids[CUT_OFF][8];
    struct err e = {0};

    memset(large, 'x', sizeof(large) - 1);
    if (loop_init() != 0 || store_init(&e) < 0 ||
        write_json(STORE_CREATE, "done", NULL, "{}")->reply.err.code != ERR_NONE ||
        write_json(STORE_CREATE, "too", NULL, "{}")->reply.err.code != ERR_NONE)
        _exit(1);
    die_behind(512 * KIB);
    for (size_t i = 0; i < CUT_OFF; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%zu", i);
        calls[i].rq = (struct store_request){.verb = STORE_CREATE,
                                             .collection = "drafts",
                                             .id = ids[i],
                                             .fields = json_pack("{s:s}", "x", large)};
        begin(&calls[i]);
    }
    wait_for_all();
    _exit(1);
}

static void test_a_group_that_a_crash_cuts_off_is_not_there(void **state) {
    char last[STORE_VERSION_SIZE], id[8];
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(loop_fini(), 0); /* a loop does not survive a fork */
    if ((child = fork()) == 0)
        die_in_a_group();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(loop_init(), 0);
    open_store();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);

    assert_document("done", "{}");
    assert_document("too", "{}");
    strcpy(last, get("too")->reply.version);
    for (int i = 0; i < CUT_OFF; i++) {
        snprintf(id, sizeof(id), "%d", i);
        assert_document(id, NULL);
    }
    assert_created("new", "{}");
    assert_string_not_equal(get("new")->reply.version, last);
}

int main(void) {
#define OPEN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define SHUT(f) cmocka_unit_test_setup_teardown(f, set_up_directory, tear_down)
    const struct CMUnitTest tests[] = {
        OPEN(test_a_turn_is_one_commit),
        OPEN(test_what_is_refused_is_no_commit),
        OPEN(test_every_writer_has_its_own_outcome),
        OPEN(test_written_together_or_not),
        OPEN(test_counts_that_come_in_together_are_exact),
        SHUT(test_a_group_that_a_crash_cuts_off_is_not_there),
    };

    return cmocka_run_group_tests_name("sqlite group", tests, NULL, NULL);
}
