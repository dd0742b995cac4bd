#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "loop.h"
#include "mail.h"

static char data_dir[64];

static int set_up(void **state) {
    (void)state;
    snprintf(data_dir, sizeof(data_dir), "/tmp/test_mail.XXXXXX");
    if (mkdtemp(data_dir) == NULL || loop_init() != 0)
        return -1;
    env = (struct env){.backend = ENV_LOCAL,
                       .data_dir = data_dir,
                       .local_signature = "<p>paraph</p>",
                       .gmail_user = "me@example.org",
                       .allowed_senders = "you@example.org, @example.com"};
    return 0;
}

static int tear_down(void **state) {
    static const char *const dirs[] = {"outbox/tmp", "outbox/new", "outbox/cur", "outbox", ""};
    char path[256];

    (void)state;
    mail_fini();
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        snprintf(path, sizeof(path), "%s/%s", data_dir, dirs[i]);
        rmdir(path);
    }
    return loop_fini() == 0 && access(data_dir, F_OK) != 0 ? 0 : -1;
}

static unsigned calls;
static struct mail_reply last;

static void on_done(struct mail_reply *reply, void *arg) {
    assert_ptr_equal(arg, &last);
    calls++;
    last = *reply;
    reply->signature = NULL;
}

static struct mail_call *start_as(enum mail_verb verb, const char *sender) {
    struct blob *message = blob_copy("x", 1);
    const char *const recipients[] = {"bob@example.org"};
    const struct mail_request rq = {.verb = verb,
                                    .sender = sender,
                                    .key = "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
                                    .message = message,
                                    .recipients = recipients,
                                    .nrecipients = 1};
    struct mail_call *c;

    calls = 0;
    c = mail_start(&rq, on_done, &last);
    blob_unref(message);
    return c;
}

static struct mail_call *start(enum mail_verb verb) {
    return start_as(verb, "me@example.org");
}

/* tear_down() finds out if a message was written all the same. */
static void test_brake(void **state) {
    static const enum mail_verb verbs[] = {MAIL_SEND, MAIL_DRAFT_CREATE, MAIL_DRAFT_SEND};

    (void)state;
    assert_int_equal(mail_init(NULL), 0);
    env.no_send = true;
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        assert_null(start(verbs[i]));
        assert_int_equal(calls, 1);
        assert_int_equal(last.err.code, ERR_NO_SEND);
        assert_non_null(strstr(last.err.message, "NO_SEND"));
        assert_false(last.unknown);
    }
}

/* Whatever is asked, nobody is written for, nor read of, who is not known. */
static void test_senders(void **state) {
    static const struct {
        const char *sender;
        enum err_code code;
    } cases[] = {
        {"me@example.org", ERR_NONE},
        {"ME@Example.ORG", ERR_NONE},
        {"you@example.org", ERR_NONE},
        {"anybody@example.com", ERR_NONE},
        {"they@example.org", ERR_FORBIDDEN},
        {"me@sub.example.com", ERR_FORBIDDEN},
        {"", ERR_FORBIDDEN},
        {"me@example.org, you@example.org", ERR_FORBIDDEN},
        {"@example.com", ERR_FORBIDDEN},
    };

    (void)state;
    assert_int_equal(mail_init(NULL), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_null(start_as(MAIL_SIGNATURE, cases[i].sender));
        assert_int_equal(last.err.code, cases[i].code);
        assert_string_equal(last.err.field, cases[i].code == ERR_NONE ? "" : "from");
        free(last.signature);
    }
}

static void test_brake_leaves_signatures(void **state) {
    (void)state;
    assert_int_equal(mail_init(NULL), 0);
    env.no_send = true;
    assert_null(start(MAIL_SIGNATURE));
    assert_int_equal(calls, 1);
    assert_int_equal(last.err.code, ERR_NONE);
    assert_string_equal(last.signature, "<p>paraph</p>");
    free(last.signature);
}

static void test_send_goes_to_the_outbox(void **state) {
    struct mail_call *c;
    char path[256];

    (void)state;
    assert_int_equal(mail_init(NULL), 0);
    c = start(MAIL_SEND);
    assert_non_null(c);
    loop_run();
    assert_int_equal(calls, 1);
    assert_int_equal(last.err.code, ERR_NONE);
    snprintf(path, sizeof(path), "%s/outbox/new/%s.paraph", data_dir, last.id);
    assert_int_equal(unlink(path), 0);
}

/* What a message that may be there, or not, has left. */
static void clean_outbox(void) {
    char command[256];

    loop_run();
    snprintf(command, sizeof(command), "rm -f %s/outbox/new/*", data_dir);
    assert_int_equal(system(command), 0);
}

static void test_cancel(void **state) {
    struct mail_call *c = NULL;

    (void)state;
    assert_false(mail_cancel(&c));
    assert_int_equal(mail_init(NULL), 0);
    c = start(MAIL_SEND);
    assert_non_null(c);
    assert_true(mail_cancel(&c));
    assert_null(c);
    clean_outbox();
    assert_int_equal(calls, 0);
}

static void on_done_again(struct mail_reply *reply, void *arg) {
    const struct mail_request rq = {.verb = MAIL_SIGNATURE, .sender = "me@example.org"};

    on_done(reply, arg);
    if (calls == 1)
        assert_null(mail_start(&rq, on_done_again, arg));
}

/* All that is under way at the end is told so, and what it starts then. */
static void test_end_of_what_is_under_way(void **state) {
    struct blob *message = blob_copy("x", 1);
    const struct mail_request rq = {
        .verb = MAIL_SEND, .sender = "me@example.org", .message = message};

    (void)state;
    assert_int_equal(mail_init(NULL), 0);
    calls = 0;
    assert_non_null(mail_start(&rq, on_done_again, &last));
    blob_unref(message);
    mail_fini();
    assert_int_equal(calls, 2);
    assert_int_equal(last.err.code, ERR_SHUTTING_DOWN);
    clean_outbox();
    assert_int_equal(calls, 2);
}

static void test_after_the_end(void **state) {
    (void)state;
    mail_fini();
    assert_int_equal(mail_init(NULL), 0);
    mail_fini();
    assert_null(start(MAIL_SEND));
    assert_int_equal(calls, 1);
    assert_int_equal(last.err.code, ERR_SHUTTING_DOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_brake),
        TEST(test_senders),
        TEST(test_brake_leaves_signatures),
        TEST(test_send_goes_to_the_outbox),
        TEST(test_cancel),
        TEST(test_end_of_what_is_under_way),
        TEST(test_after_the_end),
    };

    return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
