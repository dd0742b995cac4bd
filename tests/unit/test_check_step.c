#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "check_step.h"

static int memory, before;

/* From here on to release(), standard output goes into memory. */
static void capture(void) {
    fflush(stdout);
    memory = memfd_create("stdout", MFD_CLOEXEC);
    before = dup(STDOUT_FILENO);
    dup2(memory, STDOUT_FILENO);
}

static void release(char *text, size_t size) {
    ssize_t n;

    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    n = pread(memory, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(memory);
    close(before);
}

static void lines(void **state) {
    unsigned failures = check_step_failures();
    char text[1024];

    (void)state;
    capture();
    check_step_ok("settings", "BACKEND=%s", "local");
    check_step_failed("signJwt", "signJwt: no right to sign as %s", "a@b");
    check_step_failed("account", "signJwt: it is not known");
    check_step_skipped("token exchange", "needs a step");
    check_step_note("more: %d", 5);
    release(text, sizeof(text));
    assert_string_equal(text, "ok       settings        BACKEND=local\n"
                              "failed   signJwt         no right to sign as a@b\n"
                              "failed   account         signJwt: it is not known\n"
                              "skipped  token exchange  needs a step\n"
                              "                         more: 5\n");
    assert_int_equal(check_step_failures(), failures + 2);
}

static void no_step_begins_when_the_time_is_over(void **state) {
    unsigned failures = check_step_failures();
    char text[1024];

    (void)state;
    check_step_start_clock(3600);
    assert_true(check_step_may_begin("signJwt"));
    assert_int_equal(check_step_failures(), failures);
    check_step_start_clock(0);
    capture();
    assert_false(check_step_may_begin("signJwt"));
    release(text, sizeof(text));
    assert_non_null(strstr(text, "failed   signJwt         not tried"));
    assert_int_equal(check_step_failures(), failures + 1);
}

static void objects(void **state) {
    char text[1024];

    (void)state;
    check_step_use_json();
    capture();
    check_step_ok("settings", "a \"%s\"", "\xFF");
    check_step_failed("signJwt", "signJwt: no right");
    check_step_note("grant %d", 1);
    check_step_note("and\n%s", "wait");
    check_step_skipped("profile", "needs a step");
    check_step_flush();
    check_step_flush();
    release(text, sizeof(text));
    assert_string_equal(
        text,
        "{\"step\":\"settings\",\"state\":\"ok\",\"text\":\"a \\\"\xEF\xBF\xBD\\\"\","
        "\"notes\":[]}\n"
        "{\"step\":\"signJwt\",\"state\":\"failed\",\"text\":\"no right\","
        "\"notes\":[\"grant 1\",\"and\\nwait\"]}\n"
        "{\"step\":\"profile\",\"state\":\"skipped\",\"text\":\"needs a step\",\"notes\":[]}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines), cmocka_unit_test(no_step_begins_when_the_time_is_over),
        cmocka_unit_test(objects), /* the last one: what comes after it is JSON */
    };

    return cmocka_run_group_tests_name("check_step", tests, NULL, NULL);
}
