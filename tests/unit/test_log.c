#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_BYTES (16 * KIB)

static const struct log_scope r1 = {.request_id = "r1"};

/* What an event looks like on standard error, without its time. */
static const char *written_for(bool json, const struct log_scope *of, const char *message,
                               const struct log_field *fields) {
    static char line[LINE_MAX_BYTES + 1];
    int memory = memfd_create("log", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    ssize_t n;

    log_init(LOG_INFO, json);
    dup2(memory, STDERR_FILENO);
    log_event(LOG_DEBUG, NULL, "is not written", NULL);
    log_event(LOG_INFO, of, message, fields);
    dup2(before, STDERR_FILENO);
    n = pread(memory, line, LINE_MAX_BYTES, 0);
    close(memory);
    close(before);
    assert_true(n > 0);
    line[n] = '\0';
    assert_ptr_equal(strrchr(line, '\n'), line + n - 1);
    return json ? strstr(line, "\"message\"") : strchr(line, ' ') + 1;
}

static const char *written(bool json, const char *message, const struct log_field *fields) {
    return written_for(json, json ? &r1 : NULL, message, fields);
}

static const char *written_here(bool json) {
    return written_for(json, NULL, "m", NULL);
}

#define EVENT_OF_SCOPE                                                                             \
    "\"message\":\"m\",\"request_id\":\"r2\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","   \
    "\"mail_trace_id\":\"0af7651916cd43dd8448eb211c80319c\"," OF_SPAN
#define EVENT_OF_SCOPE_IN_PROJECT                                                                  \
    "\"message\":\"m\",\"request_id\":\"r2\",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","   \
    "\"mail_trace_id\":\"0af7651916cd43dd8448eb211c80319c\","                                      \
    "\"logging.googleapis.com/trace\":\"projects/p-1/traces/4bf92f3577b34da6a3ce929d0e0e4736\"," OF_SPAN
#define OF_SPAN                                                                                    \
    "\"logging.googleapis.com/spanId\":\"00f067aa0ba902b7\","                                      \
    "\"logging.googleapis.com/trace_sampled\":true"

#define WRITTEN(json, message, ...)                                                                \
    written(json, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END})

static void fields_of_every_kind(void **state) {
    (void)state;
    assert_string_equal(
        WRITTEN(true, "m", LOG_S("s", "a\"b\n"), LOG_S("none", NULL), LOG_I("i", -7),
                LOG_N("n", 0.5), LOG_B("b", true), LOG_J("j", "{\"a\":[]}")),
        "\"message\":\"m\",\"request_id\":\"r1\",\"s\":\"a\\\"b\\n\",\"i\":-7,\"n\":0.5,\"b\":true,"
        "\"j\":{\"a\":[]}}\n");
    assert_string_equal(WRITTEN(false, "m", LOG_S("s", "plain/word"), LOG_S("t", "two words"),
                                LOG_S("none", NULL), LOG_I("i", -7)),
                        "info  m s=plain/word t=\"two words\" i=-7\n");
}

/* Lines for people to read are lines where people read. */
static void lines_follow_the_event(void **state) {
    (void)state;
    assert_string_equal(WRITTEN(false, "m", LOG_L("t", "one \"x\"\n\ttwo\x1b\\"), LOG_L("u", NULL),
                                LOG_S("s", "x")),
                        "info  m s=x\n    one \"x\"\n    \ttwo\\u001b\\\n");
    assert_string_equal(WRITTEN(true, "m", LOG_L("t", "one\n\ttwo"), LOG_L("u", NULL)),
                        "\"message\":\"m\",\"request_id\":\"r1\",\"t\":\"one\\n\\ttwo\"}\n");
    assert_string_equal(WRITTEN(false, "m", LOG_L("t", "x ya29.b")), "info  m\n    x (masked)\n");
}

/* Behind the request's id; as text there is only that. */
static void events_are_tied_together(void **state) {
    static const struct log_scope scope = {.request_id = "r2",
                                           .trace = {.id = "4bf92f3577b34da6a3ce929d0e0e4736",
                                                     .span = "00f067aa0ba902b7",
                                                     .sampled = true},
                                           .mail_trace_id = "0af7651916cd43dd8448eb211c80319c"};
    const struct log_scope *before;
    struct log_scope here;

    (void)state;
    before = log_enter(&scope);
    here = log_here();
    assert_memory_equal(&here, &scope, sizeof(scope));
    assert_string_equal(written_here(true), EVENT_OF_SCOPE "}\n");
    log_set_project("p-1");
    assert_string_equal(written_here(true), EVENT_OF_SCOPE_IN_PROJECT "}\n");
    log_set_project("");
    assert_string_equal(written_here(false), "info  m request_id=r2\n");
    assert_ptr_equal(log_enter(before), &scope);
    here = log_here();
    assert_string_equal(here.request_id, "");
}

static void a_scope_is_one_for_all_who_hold_it(void **state) {
    struct log_scope borrowed = {.request_id = "r3"};
    const struct log_scope *before = log_enter(&borrowed), *first = log_hold(), *second;

    (void)state;
    strcpy(borrowed.request_id, "gone");
    log_enter(first);
    second = log_hold();
    assert_ptr_equal(second, first);
    assert_ptr_equal(log_hold_too(first), first);
    log_enter(before);
    log_release(first);
    log_release(first);
    assert_string_equal(second->request_id, "r3");
    log_release(second);
}

static void the_scope_of_nobody_is_never_copied(void **state) {
    const struct log_scope *nobody = log_hold();

    (void)state;
    assert_string_equal(nobody->request_id, "");
    log_release(nobody);
    assert_ptr_equal(log_hold(), nobody);
}

/* One event is one line, whatever a script puts into its message. */
static void messages_stay_on_their_line(void **state) {
    (void)state;
    assert_string_equal(WRITTEN(false, "a\nb\x1b[0m"), "info  a\\nb\\u001b[0m\n");
    assert_string_equal(WRITTEN(false, "m", LOG_S("a\nb", "c")), "info  m a\\nb=c\n");
}

static void secrets_are_masked_wherever_they_are(void **state) {
    static const char secret[] = "ya29.a0AfH_-x";

    (void)state;
    assert_string_equal(WRITTEN(true, "is eyJhbGciOiJS.eyJpc3Mi.c2ln", LOG_S("s", secret),
                                LOG_J("j", "{\"a\":[\"1//0gx\"],\"b\":\"GOCSPX-q\"}")),
                        "\"message\":\"is (masked)\",\"request_id\":\"r1\",\"s\":\"(masked)\","
                        "\"j\":{\"a\":[\"(masked)\"],\"b\":\"(masked)\"}}\n");
    assert_string_equal(WRITTEN(false, secret, LOG_S("s", secret), LOG_S("t", "x ya29.b y")),
                        "info  (masked) s=(masked) t=\"x (masked) y\"\n");
    assert_string_equal(WRITTEN(false, "m", LOG_S("s", "payee.yJ/xya29.b")),
                        "info  m s=payee.yJ/xya29.b\n"); /* inside a word */
    assert_string_equal(
        WRITTEN(false, "m", LOG_S("s", "paraph_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"),
                LOG_S("t", "paraph_session=0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"),
                LOG_S("u", "paraph_test")),
        "info  m s=(masked) t=\"(masked)\" u=paraph_test\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_every_kind),
        cmocka_unit_test(lines_follow_the_event),
        cmocka_unit_test(events_are_tied_together),
        cmocka_unit_test(a_scope_is_one_for_all_who_hold_it),
        cmocka_unit_test(the_scope_of_nobody_is_never_copied),
        cmocka_unit_test(messages_stay_on_their_line),
        cmocka_unit_test(secrets_are_masked_wherever_they_are),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
