#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "hash.h"

#define N 40

static unsigned char bytes[N + 1];

static void every_bit_counts(void **state) {
    uint64_t hash = hash_bytes(0, bytes, N);

    (void)state;
    for (size_t i = 0; i < N * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_int_not_equal(hash_bytes(0, bytes, N), hash);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    assert_int_equal(hash_bytes(0, bytes, N), hash);
}

static void zeros_count_and_what_lies_behind_does_not(void **state) {
    (void)state;
    for (size_t n = 0; n < N; n++) {
        uint64_t hash = hash_bytes(0, bytes, n);

        assert_int_not_equal(hash_bytes(0, bytes, n + 1), hash);
        bytes[n] = 1;
        assert_int_equal(hash_bytes(0, bytes, n), hash);
        bytes[n] = 0;
    }
    assert_int_not_equal(hash_bytes(0, NULL, 0), 0);
}

static void what_came_before_and_where_it_ended_count(void **state) {
    (void)state;
    assert_int_not_equal(hash_bytes(1, "ab", 2), hash_bytes(2, "ab", 2));
    assert_int_not_equal(hash_bytes(hash_bytes(0, "a", 1), "bc", 2),
                         hash_bytes(hash_bytes(0, "ab", 2), "c", 1));
}

/* Tables take the low bits: numbered keys must come to all of their places. */
static void the_low_bits_are_spread(void **state) {
    unsigned counts[256] = {0};

    (void)state;
    for (uint32_t i = 0; i < 256 * 64; i++)
        counts[hash_bytes(0, &i, sizeof(i)) % COUNT_OF(counts)]++;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        assert_in_range(counts[i], 32, 96);
}

/* The highest bit of a product follows that of its factor alone: differences there must not cancel
 * each other from one word to the next, whatever was before. */
static void high_bits_do_not_cancel_each_other(void **state) {
    char one[16] = {0}, other[16] = {0};

    (void)state;
    other[7] = other[11] = other[15] = (char)0x80;
    for (uint64_t before = 0; before < 10000; before++)
        assert_int_not_equal(hash_bytes(before, one, sizeof(one)),
                             hash_bytes(before, other, sizeof(other)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(zeros_count_and_what_lies_behind_does_not),
        cmocka_unit_test(what_came_before_and_where_it_ended_count),
        cmocka_unit_test(the_low_bits_are_spread),
        cmocka_unit_test(high_bits_do_not_cancel_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
