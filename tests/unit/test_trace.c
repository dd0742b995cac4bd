/* trace.h: what is a trace, and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace.h"

#define ID    "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"
#define ZEROS "00000000000000000000000000000000"

static struct log_trace taken(const char *traceparent, const char *cloud) {
    struct log_trace t;

    memset(&t, 'x', sizeof(t));
    assert_true(trace_read(&t, traceparent, cloud));
    assert_true(trace_is_id(t.id, strlen(t.id)));
    assert_true(strlen(t.span) == 0 || strlen(t.span) == 16);
    return t;
}

static void assert_none(const char *traceparent, const char *cloud) {
    struct log_trace t, none = {0};

    memset(&t, 'x', sizeof(t));
    if (trace_read(&t, traceparent, cloud))
        fail_msg("'%s', '%s' was taken", traceparent, cloud);
    assert_memory_equal(&t, &none, sizeof(t));
}

static void of_w3c(void **state) {
    static const char *const good[] = {"00-" ID "-" SPAN "-01",
                                       "00-" ID "-" SPAN "-00",
                                       "00-" ID "-" SPAN "-ff",
                                       "cc-" ID "-" SPAN "-09",
                                       "cc-" ID "-" SPAN "-01-what-comes-later",
                                       "01-" ID "-" SPAN "-01-"};
    static const bool sampled[] = {true, false, true, true, true, true};
    struct log_trace t;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        t = taken(good[i], NULL);
        assert_string_equal(t.id, ID);
        assert_string_equal(t.span, SPAN);
        assert_int_equal(t.sampled, sampled[i]);
    }
}

static void what_is_none_of_w3c(void **state) {
    static const char *const bad[] = {"",
                                      "00",
                                      "00-",
                                      "00-" ID,
                                      "00-" ID "-" SPAN,
                                      "00-" ID "-" SPAN "-",
                                      "00-" ID "-" SPAN "-0",
                                      "00-" ID "-" SPAN "-0g",
                                      "00-" ID "-" SPAN "-011",
                                      "00-" ID "-" SPAN "-01-",
                                      "00-" ID "-" SPAN "-01-more",
                                      "00-" ID "-" SPAN "-01 ",
                                      " 00-" ID "-" SPAN "-01",
                                      "ff-" ID "-" SPAN "-01",
                                      "0-" ID "-" SPAN "-01",
                                      "FE-" ID "-" SPAN "-01",
                                      "cc-" ID "-" SPAN "-01x",
                                      "00-" ZEROS "-" SPAN "-01",
                                      "00-" ID "-0000000000000000-01",
                                      "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e47366-" SPAN "-01",
                                      "00-4bf92f3577b34da6a3ce929d0e0e473\"-" SPAN "-01",
                                      "00_" ID "_" SPAN "_01",
                                      "\xFF\xFE"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_none(bad[i], NULL);
}

static void of_the_cloud(void **state) {
    struct log_trace t;

    (void)state;
    t = taken(NULL, ID "/74;o=1");
    assert_string_equal(t.id, ID);
    assert_string_equal(t.span, "000000000000004a");
    assert_true(t.sampled);
    t = taken("nonsense", "4BF92F3577B34DA6A3CE929D0E0E4736/18446744073709551614;o=0");
    assert_string_equal(t.id, ID);
    assert_string_equal(t.span, "fffffffffffffffe");
    assert_false(t.sampled);
    t = taken(NULL, ID);
    assert_string_equal(t.id, ID);
    assert_string_equal(t.span, "");
    t = taken(NULL, ID "/0;o=1"); /* no span */
    assert_string_equal(t.id, ID);
    assert_string_equal(t.span, "");
    assert_false(t.sampled);
}

static void what_is_none_of_the_cloud(void **state) {
    static const char *const bad[] = {"",
                                      "/",
                                      "/1;o=1",
                                      ID "/",
                                      ID "/;o=1",
                                      ID "/x",
                                      ID "/-1",
                                      ID "/1;o=2",
                                      ID "/1;o=1x",
                                      ID "/1;",
                                      ID "/1/2",
                                      ID ";o=1",
                                      ID "0/1;o=1",
                                      ID "/000000000000000000001",
                                      ZEROS "/1;o=1",
                                      "4bf92f3577b34da6a3ce929d0e0e473/1",
                                      "4bf92f3577b34da6a3ce929d0e0e473g/1"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_none(NULL, bad[i]);
}

static void w3c_comes_first(void **state) {
    struct log_trace t = taken("00-" ID "-" SPAN "-00", "0af7651916cd43dd8448eb211c80319c/1;o=1");

    (void)state;
    assert_string_equal(t.id, ID);
    assert_string_equal(t.span, SPAN);
}

static void new_ones_have_the_digits_of_a_uuid(void **state) {
    struct log_trace t;

    (void)state;
    assert_none(NULL, NULL);
    trace_make(&t, "4bf92f35-77b3-4da6-a3ce-929d0e0e4736");
    assert_string_equal(t.id, ID);
    assert_string_equal(t.span, "");
}

static void ids(void **state) {
    (void)state;
    assert_true(trace_is_id(ID, 32));
    assert_false(trace_is_id(ZEROS, 32));
    assert_false(trace_is_id(ID, 31));
    assert_false(trace_is_id("4bf92f3577b34da6a3ce929d0e0e473\0", 32));
    assert_false(trace_is_id("4BF92F3577B34DA6A3CE929D0E0E4736", 32));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_w3c),
        cmocka_unit_test(what_is_none_of_w3c),
        cmocka_unit_test(of_the_cloud),
        cmocka_unit_test(what_is_none_of_the_cloud),
        cmocka_unit_test(w3c_comes_first),
        cmocka_unit_test(new_ones_have_the_digits_of_a_uuid),
        cmocka_unit_test(ids),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
