#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "origin.h"

static void only_our_own_pages_may_change_anything(void **state) {
    static const struct {
        struct origin o;
        bool must_say, passes;
    } cases[] = {
        {{"h:1", NULL, NULL}, false, true}, /* a program */
        {{"h:1", NULL, NULL}, true, false},
        {{"h:1", "http://h:1", NULL}, true, true},
        {{"h:1", "HTTPS://H:1", NULL}, true, true}, /* TLS ends in front of us */
        {{"h:1", "http://h", NULL}, false, false},
        {{"h:1", "http://h:12", NULL}, false, false},
        {{"h:1", "http://h:1.evil", NULL}, false, false},
        {{"h:1", "h:1", NULL}, false, false},
        {{"h:1", "", NULL}, false, false},
        {{"h:1", "null", NULL}, false, false},
        {{"h:1", "null", "same-origin"}, true, true},
        {{"h:1", "null", "none"}, true, false},
        {{"h:1", NULL, "same-origin"}, true, true},
        {{"h:1", NULL, "none"}, true, true}, /* typed, or from a bookmark */
        {{"h:1", NULL, "same-site"}, false, false},
        {{"h:1", "http://h:1", "cross-site"}, false, false},
        {{"h:1", "http://h:1", "SAME-ORIGIN"}, false, false},
        {{NULL, "http://h:1", NULL}, false, false},
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if ((origin_check(&cases[i].o, cases[i].must_say, &e) == 0) != cases[i].passes)
            fail_msg("case %zu", i);
}

static void this_machine_has_few_names(void **state) {
    static const struct {
        const char *host;
        bool passes;
    } cases[] = {
        {"localhost", true},
        {"LocalHost:8080", true},
        {"a.b.localhost", true},
        {"127.0.0.1", true},
        {"127.255.0.9:1", true},
        {"[::1]", true},
        {"[::1]:80", true},
        {"own.example:80", true},
        {"localhost.", false},
        {"evil.example", false},
        {"localhost.evil", false},
        {"128.0.0.1", false},
        {"0127.0.0.1", false},
        {"127.1", false},
        {"::1", false},
        {"[::1", false},
        {"[::2]", false},
        {"[::ffff:127.0.0.1]", false},
        {"", false},
        {":80", false},
        {"own.example.evil", false},
        {"mybox:8080", true},
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct origin o = {.host = cases[i].host};

        if ((origin_check_loopback(&o, "own.example", &e) == 0) != cases[i].passes)
            fail_msg("'%s'", cases[i].host);
    }
    assert_int_equal(origin_check_loopback(&(struct origin){0}, NULL, &e), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_our_own_pages_may_change_anything),
        cmocka_unit_test(this_machine_has_few_names),
    };

    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
