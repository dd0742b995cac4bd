#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "throttle.h"

#define TAKE(t, rate, key, ms) throttle_take(t, rate, key, strlen(key), ms)

static void a_bucket_is_full_at_first_and_fills_again(void **state) {
    const struct throttle_rate rate = {2, 3};
    struct throttle *t = throttle_new();

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(TAKE(t, rate, "a", 1000), 0);
    assert_int_equal(TAKE(t, rate, "a", 1000), 501); /* half a second for one of two */
    assert_in_range(TAKE(t, rate, "a", 1400), 100, 101);
    assert_int_equal(TAKE(t, rate, "a", 1501), 0);
    assert_int_not_equal(TAKE(t, rate, "a", 1501), 0);
    for (int i = 0; i < 3; i++) /* and never fuller than full */
        assert_int_equal(TAKE(t, rate, "a", 1000000), 0);
    assert_int_not_equal(TAKE(t, rate, "a", 1000000), 0);
    throttle_free(t);
}

static void keys_have_buckets_of_their_own(void **state) {
    const struct throttle_rate rate = {1, 1};
    struct throttle *t = throttle_new();

    (void)state;
    assert_int_equal(TAKE(t, rate, "a", 5), 0);
    assert_int_not_equal(TAKE(t, rate, "a", 5), 0);
    assert_int_equal(TAKE(t, rate, "b", 5), 0);
    assert_int_equal(throttle_take(t, rate, "a\0", 2, 5), 0);
    throttle_free(t);
}

static void at_a_rate_of_nothing_one_waits_for_an_hour(void **state) {
    const struct throttle_rate rate = {0, 1};
    struct throttle *t = throttle_new();

    (void)state;
    assert_int_equal(TAKE(t, rate, "a", 5), 0);
    assert_int_equal(TAKE(t, rate, "a", 5), 3600000);
    throttle_free(t);
}

/* Whoever has a thousand addresses cannot fill the memory, and pushes out what is oldest first. */
static void so_many_keys_are_remembered_and_no_more(void **state) {
    const struct throttle_rate rate = {0, 1};
    struct throttle *t = throttle_new();
    unsigned remembered = 0;
    char key[32];

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "key %u", i);
        assert_int_equal(TAKE(t, rate, key, i), 0);
    }
    for (unsigned i = 99000; i < 100000; i++) {
        snprintf(key, sizeof(key), "key %u", i);
        remembered += TAKE(t, rate, key, 100000) != 0;
    }
    assert_true(remembered > 900);
    throttle_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_is_full_at_first_and_fills_again),
        cmocka_unit_test(keys_have_buckets_of_their_own),
        cmocka_unit_test(at_a_rate_of_nothing_one_waits_for_an_hour),
        cmocka_unit_test(so_many_keys_are_remembered_and_no_more),
    };

    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
