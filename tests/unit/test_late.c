#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "late.h"

#define FUNCTIONS(X) X(cos) X(sin)
static struct { FUNCTIONS(LATE_MEMBER) } m LATE_TABLE;
static const char *const names[] = {FUNCTIONS(LATE_NAME)};

/* May it be written there? */
static bool is_writable(const void *place) {
    FILE *f = fopen("/proc/self/maps", "r");
    uintptr_t from, to;
    char line[512], access[8];
    bool is = false;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &from, &to, access) == 3 &&
            from <= (uintptr_t)place && (uintptr_t)place < to)
            is = access[1] == 'w';
    fclose(f);
    return is;
}

static void its_functions_can_be_called(void **state) {
    struct err e;

    (void)state;
    assert_int_equal(late_open("libm.so.6", names, COUNT_OF(names), &m, &e), 0);
    assert_true(m.cos(0) > 0.999 && m.sin(0) < 0.001);
}

static void the_table_is_read_only_before_and_after(void **state) {
    struct err e;

    (void)state;
    assert_false(is_writable(&m));
    assert_int_equal(late_open("libm.so.6", names, COUNT_OF(names), &m, &e), 0);
    assert_false(is_writable(&m));
    assert_true(is_writable(&e));
}

static void what_is_missing_is_told(void **state) {
    const char *const none[] = {"cos", "no_such_function"};
    struct err e;

    (void)state;
    assert_int_equal(late_open("libnone.so.1", names, COUNT_OF(names), &m, &e), -1);
    assert_string_equal(e.message, "libnone.so.1 cannot be loaded: libnone.so.1: cannot open "
                                   "shared object file: No such file or directory");
    assert_int_equal(late_open("libm.so.6", none, COUNT_OF(none), &m, &e), -1);
    assert_non_null(strstr(e.message, "no_such_function"));
    assert_false(is_writable(&m));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_read_only_before_and_after),
        cmocka_unit_test(its_functions_can_be_called),
        cmocka_unit_test(what_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
