/* The base layer: err, buf, blob, clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blob.h"
#include "buf.h"
#include "clock.h"
#include "err.h"

/* --- err ------------------------------------------------------------------------------------- */

static void err_fills_and_names(void **state) {
    struct err e = {.retry_after = 7, .reason = "notFound"};

    (void)state;
    assert_int_equal(err_set_field(&e, ERR_INVALID_RECIPIENT, "to", "'%s' is wrong", "bob@"), -1);
    assert_string_equal(e.message, "'bob@' is wrong");
    assert_string_equal(e.field, "to");
    assert_string_equal(e.reason, "");
    assert_int_equal(e.retry_after, 0);
    assert_string_equal(err_word(e.code), "invalid_recipient");
    assert_int_equal(err_status(e.code), 400);
    assert_int_equal(err_from_word("invalid_recipient"), ERR_INVALID_RECIPIENT);
    assert_int_equal(err_from_word("no such word"), ERR_NONE);
    assert_int_equal(err_from_word(""), ERR_NONE);
    assert_int_equal(err_set(NULL, ERR_TIMEOUT, "nobody listens"), -1);
}

static void err_is_cut_at_a_character(void **state) {
    char text[700];
    struct err e;

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        size_t n = shift;

        memset(text, 'a', shift);
        while (n + 5 < sizeof(text)) {
            memcpy(text + n, "\xF0\x9F\x93\xAE", 4); /* a postbox */
            n += 4;
        }
        text[n] = '\0';
        err_set(&e, ERR_INVALID_FIELD, "%s", text);
        assert_true(strlen(e.message) >= sizeof(e.message) - 8);
        assert_int_equal((strlen(e.message) - shift) % 4, 0);
    }
}

static void what_has_not_failed_is_not_kept(void **state) {
    struct err e = {0};
    const struct err *kept;

    (void)state;
    assert_null(err_keep(NULL));
    assert_null(err_keep(&e));
    err_set(&e, ERR_TIMEOUT, "too late");
    kept = err_keep(&e);
    err_set(&e, ERR_CONFLICT, "something else");
    assert_int_equal(kept->code, ERR_TIMEOUT);
    assert_string_equal(kept->message, "too late");
    err_let_go(&kept);
    assert_null(kept);
    err_let_go(&kept);
}

static void every_code_has_a_word_and_a_status(void **state) {
    (void)state;
#define X(name, word, status)                                                                      \
    assert_string_equal(err_word(ERR_##name), word);                                               \
    assert_int_equal(err_status(ERR_##name), status);                                              \
    assert_int_equal(err_from_word(word), ERR_##name);
    ERR_CODES(X)
#undef X
}

/* --- buf ------------------------------------------------------------------------------------- */

static void buf_grows_and_terminates(void **state) {
    struct buf b;
    size_t n;
    char *text;

    (void)state;
    buf_init(&b, 1 * MIB);
    assert_string_equal(b.data, "");
    for (int i = 0; i < 10000; i++)
        buf_addf(&b, "%d,", i);
    buf_adds(&b, "end");
    buf_addc(&b, '!');
    assert_false(buf_failed(&b));
    assert_int_equal(strlen(b.data), b.len);
    text = buf_take(&b, &n);
    assert_non_null(text);
    assert_int_equal(strlen(text), n);
    assert_memory_equal(text, "0,1,2,3,", 8);
    assert_string_equal(text + n - 4, "end!");
    assert_int_equal(b.len, 0);
    free(text);
    buf_free(&b);
}

static void buf_failure_sticks(void **state) {
    struct buf b;

    (void)state;
    buf_init(&b, 10);
    buf_adds(&b, "0123456789");
    assert_false(buf_failed(&b));
    buf_addc(&b, 'x');
    assert_true(buf_failed(&b));
    buf_adds(&b, "");
    assert_true(buf_failed(&b));
    assert_null(buf_take(&b, NULL));
    assert_string_equal(b.data, "0123456789");
    buf_reset(&b);
    buf_addf(&b, "%s", "again");
    assert_false(buf_failed(&b));
    assert_string_equal(b.data, "again");
    buf_addf(&b, "%s", "too long now"); /* for the ceiling, not for the memory there is */
    assert_true(buf_failed(&b));
    assert_string_equal(b.data, "again");
    buf_free(&b);
}

static void buf_joins(void **state) {
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_join(&b, "alone");
    buf_join(&b, " ", "", "and", " together");
    assert_string_equal(b.data, "alone and together");
    buf_trim(&b);
    assert_int_equal(b.cap, b.len + 1);
    buf_addf(&b, "%c", '!');
    assert_string_equal(b.data, "alone and together!");
    buf_free(&b);
}

static void empty_buf_can_be_taken(void **state) {
    struct buf b;
    size_t n = 7;
    char *text;

    (void)state;
    buf_init(&b, 0);
    text = buf_take(&b, &n);
    assert_non_null(text);
    assert_int_equal(n, 0);
    assert_string_equal(text, "");
    free(text);
    buf_reset(&b);
    buf_addc(&b, 'x');
    assert_true(buf_failed(&b));
    buf_free(&b);
}

/* --- blob ------------------------------------------------------------------------------------ */

static void count_release(void *owner) {
    ++*(int *)owner;
}

static void blob_is_released_by_its_last_holder(void **state) {
    int released = 0;
    struct blob *b = blob_wrap("abc", 3, count_release, &released);

    (void)state;
    assert_non_null(b);
    assert_ptr_equal(blob_ref(b), b);
    blob_unref(b);
    assert_int_equal(released, 0);
    blob_unref(b);
    assert_int_equal(released, 1);
    blob_unref(NULL);
    b = blob_copy("\0\1\2", 3);
    assert_int_equal(b->len, 3);
    assert_memory_equal(b->data, "\0\1\2", 3);
    blob_unref(b);
}

/* --- clock ----------------------------------------------------------------------------------- */

static void clock_parses_and_formats(void **state) {
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"2026-03-01T09:30:00.250000Z", 1772357400250000},
        {"2026-03-01T11:30:00.25+02:00", 1772357400250000},
        {"2026-03-01t09:30:00.2500009z", 1772357400250000},
        {"2024-02-29T00:00:00Z", 1709164800000000},
        {"2023-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-00-01T00:00:00Z", -1},
        {"2026-03-01T24:00:00Z", -1},
        {"2026-03-01T09:30:00", -1},
        {"2026-03-01T09:30:00.Z", -1},
        {"2026-03-01T09:30:00Zx", -1},
        {"2026-03-01", -1},
        {"", -1},
        {"-026-03-01T09:30:00Z", -1},
    };
    char text[CLOCK_TEXT_SIZE];
    int64_t us;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = clock_parse(cases[i].text, strlen(cases[i].text), &us);

        assert_int_equal(status, cases[i].us < 0 ? -1 : 0);
        if (status == 0)
            assert_int_equal(us, cases[i].us);
    }
    clock_format(text, 1772357400250000);
    assert_string_equal(text, "2026-03-01T09:30:00.250000Z");
    clock_format(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    clock_format(text, INT64_C(-62135596800000000));
    assert_string_equal(text, "0001-01-01T00:00:00.000000Z");
    assert_true(clock_now_us() > 1772357400250000);
}

static void clock_parses_dates_of_http(void **state) {
    static const char *const same[] = {"Sun, 01 Mar 2026 09:30:00 GMT",
                                       "Sunday, 01-Mar-26 09:30:00 GMT",
                                       "Sun Mar  1 09:30:00 2026"};
    static const char *const none[] = {"", "120", "2026-03-01T09:30:00Z",
                                       "Sun, 01 Mar 2026 09:30:00 GMT and more",
                                       "Sun, 01 Mar 2026 09:30:00"};
    int64_t us;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        assert_int_equal(clock_parse_http(same[i], &us), 0);
        assert_int_equal(us, 1772357400000000);
    }
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_int_equal(clock_parse_http(none[i], &us), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_fills_and_names),
        cmocka_unit_test(err_is_cut_at_a_character),
        cmocka_unit_test(what_has_not_failed_is_not_kept),
        cmocka_unit_test(every_code_has_a_word_and_a_status),
        cmocka_unit_test(buf_grows_and_terminates),
        cmocka_unit_test(buf_failure_sticks),
        cmocka_unit_test(buf_joins),
        cmocka_unit_test(empty_buf_can_be_taken),
        cmocka_unit_test(blob_is_released_by_its_last_holder),
        cmocka_unit_test(clock_parses_and_formats),
        cmocka_unit_test(clock_parses_dates_of_http),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
