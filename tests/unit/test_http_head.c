#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "http_head.h"
#include "http_head_split.h"

/* What the check says of n bytes; the head stays valid until the next call. */
static int check_bytes(const char *bytes, size_t n, struct http_head *h, struct err *e) {
    static char raw[16384], target[16384];

    assert_true(n < sizeof(raw));
    memcpy(raw, bytes, n);
    raw[n] = '\0';
    assert_true(split_head(raw, n, target, h));
    return http_head_check_size(h, e) != 0 ? -1 : http_head_check(h, e);
}

static int check(const char *text, struct http_head *h, struct err *e) {
    return check_bytes(text, strlen(text), h, e);
}

static void assert_refused(const char *bytes, size_t n, enum err_code code, const char *sentence) {
    struct http_head h;
    struct err e;

    if (check_bytes(bytes, n, &h, &e) == 0)
        fail_msg("taken: %s", bytes);
    assert_int_equal(e.code, code);
    if (strstr(e.message, sentence) == NULL)
        fail_msg("'%s' says '%s', not '%s'", bytes, e.message, sentence);
}

#define REFUSED(text, sentence)                                                                    \
    assert_refused((text), sizeof(text) - 1, ERR_MALFORMED_REQUEST, (sentence))

#define GET  "GET /a?b HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define END  "\r\n"

static void a_head_is_taken_as_it_is(void **state) {
    static const char *const taken[] = {
        GET HOST END,
        GET "Host:x" END END,
        GET "Host: \t x \t" END END,
        GET "host: [::1]:80" END END,
        GET "Host: 127.0.0.1" END END,
        GET "Host: a.example:" END END,
        GET HOST "X-Empty:" END END,
        GET HOST "X-Empty:  " END END,
        GET HOST "X: a:b, \xC3\xA4\t\"c\"" END END,
        "OPTIONS * HTTP/1.1\r\n" HOST END,
        "GET / HTTP/1.0\r\n" END,
        "GET / HTTP/1.0\r\nExpect: anything" END END,
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: 100-Continue \r\n" END,
        "M!#$%&'*+-.^_`|~1 / HTTP/1.1\r\n" HOST END,
    };
    struct http_head h;
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        if (check(taken[i], &h, &e) != 0)
            fail_msg("'%s': %s", taken[i], e.message);
}

static void what_is_not_covered_is_refused(void **state) {
    (void)state;
    REFUSED("GET /a HTTP/1.1\n" HOST END, "CR LF");
    REFUSED(GET "Host: x\n" END, "CR LF");
    REFUSED(GET HOST "\n", "CR LF");
    REFUSED(GET HOST "X: a\0b" END END, "NUL");
    REFUSED(GET HOST "X: a\0" END END, "NUL");
    REFUSED(GET HOST "\0X: a" END END, "NUL");
    REFUSED("G\0ET / HTTP/1.1\r\n" HOST END, "NUL");
    REFUSED("GET /a\0b HTTP/1.1\r\n" HOST END, "NUL");
    REFUSED("GET  / HTTP/1.1\r\n" HOST END, "space");
    /* one byte too few here, one too many there */
    REFUSED(GET "Host: x\nX: a\0" END END, "CR LF");
    REFUSED(GET HOST "X: a\0\n\n", "CR LF");
}

/* libmicrohttpd adds the second line to the name of the first, elsewhere. */
static void a_folded_line_is_refused(void **state) {
    static char raw[] = GET "Content-Lengt: 5\r\n h:\r\n" HOST END, name[] = "Content-Length";
    static char target[sizeof(raw)];
    size_t n = sizeof(raw) - 1;
    struct http_head h;
    struct err e;

    (void)state;
    assert_true(split_head(raw, n, target, &h));
    h.fields[0].name = name;
    h.fields[0].name_len = strlen(name);
    h.fields[1] = h.fields[2];
    h.nfields = 2;
    assert_int_equal(http_head_check(&h, &e), -1);
    assert_non_null(strstr(e.message, "folded"));
}

static void request_lines_are_strict(void **state) {
    (void)state;
    REFUSED("G(T / HTTP/1.1\r\n" HOST END, "method");
    REFUSED("GET a HTTP/1.1\r\n" HOST END, "begin with '/'");
    REFUSED("GET * HTTP/1.1\r\n" HOST END, "begin with '/'");
    REFUSED("GET http://x/ HTTP/1.1\r\n" HOST END, "begin with '/'");
    REFUSED("GET /a b HTTP/1.1\r\n" HOST END, "space");
    REFUSED("GET /a\x01 HTTP/1.1\r\n" HOST END, "control character");
    REFUSED("GET /a\x7F HTTP/1.1\r\n" HOST END, "control character");
}

static void fields_are_strict(void **state) {
    (void)state;
    REFUSED(GET HOST "X : a" END END, "name");
    REFUSED(GET HOST ": a" END END, "name");
    REFUSED(GET HOST "X\xC3\xA4: a" END END, "name");
    REFUSED(GET HOST "X: a\rb" END END, "value");
    REFUSED(GET HOST "X: a\x1B" END END, "value");
    REFUSED(GET END, "exactly one Host");
    REFUSED(GET HOST HOST END, "exactly one Host");
    REFUSED("GET / HTTP/1.0\r\n" HOST HOST END, "exactly one Host");
    REFUSED(GET "Host:" END END, "not a name");
    REFUSED(GET "Host: a b" END END, "not a name");
    REFUSED(GET "Host: a:b" END END, "not a name");
    REFUSED(GET "Host: a:1:2" END END, "not a name");
    REFUSED(GET "Host: [" END END, "not a name");
    REFUSED(GET "Host: []" END END, "not a name");
    REFUSED(GET "Host: [::1]x" END END, "not a name");
    REFUSED(GET "Host: [x]" END END, "not a name");
}

#define POST "POST / HTTP/1.1\r\n" HOST

static void the_end_of_the_body_is_beyond_doubt(void **state) {
    (void)state;
    REFUSED(POST "Content-Length: 1\r\nContent-Length: 1" END END, "more than once");
    REFUSED(POST "Content-Length: 1\r\nTransfer-Encoding: chunked" END END, "more than once");
    REFUSED(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END END,
            "more than once");
    REFUSED(POST "Transfer-Encoding: gzip, chunked" END END, "known is 'chunked'");
    REFUSED(POST "Transfer-Encoding: chunked " END END, "known is 'chunked'");
    REFUSED(POST "Transfer-Encoding:" END END, "known is 'chunked'");
    REFUSED("POST / HTTP/1.0\r\nTransfer-Encoding: chunked" END END, "HTTP/1.0");
    REFUSED(POST "Content-Length:" END END, "not a number");
    REFUSED(POST "Content-Length: +1" END END, "not a number");
    REFUSED(POST "Content-Length: 1,1" END END, "not a number");
    REFUSED(POST "Content-Length: 1 " END END, "not a number");
}

static void expectations_are_known_and_have_a_body(void **state) {
    static const char *const refused[] = {
        POST "Content-Length: 1\r\nExpect: x" END END,
        POST "Content-Length: 1\r\nExpect: 100-continue, x" END END,
        POST "Content-Length: 0\r\nExpect: 100-continue" END END,
        GET HOST "Expect: 100-continue" END END,
        POST "Content-Length: 1\r\nExpect: 100-continue\r\nExpect: 100-continue" END END,
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_refused(refused[i], strlen(refused[i]), ERR_EXPECTATION_FAILED, "");
}

static void too_many_fields_are_refused(void **state) {
    char text[4096] = GET HOST;
    struct http_head h;
    struct err e;

    (void)state;
    for (size_t i = 1; i < HTTP_FIELDS_MAX; i++)
        strcat(text, "X: y\r\n");
    strcat(text, END);
    assert_int_equal(check(text, &h, &e), 0);
    strcpy(text + strlen(text) - 2, "X: y\r\n" END);
    assert_refused(text, strlen(text), ERR_HEADERS_TOO_LARGE, "more than 64");
}

static void what_leaves_no_room_for_an_answer_is_refused(void **state) {
    static const struct {
        const char *name;
        int bytes;
        bool taken;
    } cases[] = {
        {"X", 100, true},       {"X", 12000, true},      {"X", 13300, false},
        {"Cookie", 6000, true}, {"cookie", 6700, false},
    };
    char text[16000];
    struct http_head h;
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(text, sizeof(text), GET HOST "%s: %0*d" END END, cases[i].name, cases[i].bytes, 0);
        if (cases[i].taken)
            assert_int_equal(check(text, &h, &e), 0);
        else
            assert_refused(text, strlen(text), ERR_HEADERS_TOO_LARGE, "too large");
    }
}

static void white_space_behind_a_value_is_cut_off(void **state) {
    struct http_head h;
    struct err e;

    (void)state;
    assert_int_equal(check(GET "Host: x \t \r\nX-A: a b\t" END "X-B: " END END, &h, &e), 0);
    assert_string_equal(h.fields[0].value, "x");
    assert_string_equal(h.fields[1].value, "a b");
    assert_int_equal(h.fields[1].value_len, 3);
    assert_string_equal(h.fields[2].value, "");
}

static void lengths_are_read_to_the_end_of_their_type(void **state) {
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"0", 0},
        {"00012", 12},
        {"18446744073709551614", SIZE_MAX - 1},
        {"18446744073709551615", SIZE_MAX},
        {"18446744073709551616", SIZE_MAX},
        {"99999999999999999999999999999999", SIZE_MAX},
    };
    char text[256];
    struct http_head h;
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(text, sizeof(text), POST "Content-Length: %s" END END, cases[i].text);
        assert_int_equal(check(text, &h, &e), 0);
        assert_int_equal(http_head_length(&h), cases[i].length);
        assert_false(http_head_is_chunked(&h));
    }
    assert_int_equal(check(POST "transfer-encoding: Chunked" END END, &h, &e), 0);
    assert_true(http_head_is_chunked(&h));
    assert_int_equal(http_head_length(&h), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_as_it_is),
        cmocka_unit_test(what_is_not_covered_is_refused),
        cmocka_unit_test(a_folded_line_is_refused),
        cmocka_unit_test(request_lines_are_strict),
        cmocka_unit_test(fields_are_strict),
        cmocka_unit_test(the_end_of_the_body_is_beyond_doubt),
        cmocka_unit_test(expectations_are_known_and_have_a_body),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(what_leaves_no_room_for_an_answer_is_refused),
        cmocka_unit_test(white_space_behind_a_value_is_cut_off),
        cmocka_unit_test(lengths_are_read_to_the_end_of_their_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
