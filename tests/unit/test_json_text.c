#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "json_text.h"

#define DEPTH 64

static json_t *parse(const char *text, struct err *e) {
    return json_text_parse(text, strlen(text), DEPTH, e);
}

/* What jansson's own reader makes of the same text is the judge. */
static void test_values(void **state) {
    static const char *const texts[] = {
        "null",
        " true ",
        "\r\n\tfalse\n",
        "0",
        "-0",
        "9223372036854775807",
        "-9223372036854775808",
        "0.0",
        "-0.0",
        "0e5",
        "0.000e-999999999999",
        "1.5",
        "-1.5E+3",
        "1e22",
        "100.00",
        "120000000000000000000000e-5",
        "0.000001",
        "0.1",
        "0.10000000000000001",
        "3.1415926535897931",
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "5e-324",
        "4.9406564584124654E-324",
        "1.000000000000000000000000000000000000000000000000000000000000000",
        "\"\"",
        "\"plain\"",
        "\"exactly8\"",
        "\"sixteen-bytes-16\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"a\\u0000b\"",
        "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"",
        "\"\xc3\xa9t\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \x7f\"",
        "\"12345678\\n12345678\xc3\xa9\\n\"",
        "[]",
        "[ ]",
        "[1,2 , 3]",
        "[[],[[]],{}]",
        "{}",
        "{ }",
        "{\"a\":1,\"b\":[true,null],\"\":{\"a\":{}}}",
        "{ \"a\" : 1 , \"A\" : 2 }",
        "{\"na\\u006de\":1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct err e = {.code = ERR_NONE};
        json_t *got = parse(texts[i], &e), *want;

        want = json_loads(texts[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(want);
        if (got == NULL)
            fail_msg("%s: %s", texts[i], e.message);
        if (!json_equal(got, want))
            fail_msg("%s: other than jansson", texts[i]);
        json_decref(got);
        json_decref(want);
    }
}

static void test_malformed(void **state) {
    static const struct {
        const char *text, *where; /* and some words of why */
    } cases[] = {
        {"", "line 1, column 1: the text ends where a value was expected"},
        {" \n ", "line 2, column 2: the text ends where a value was expected"},
        {"\xef\xbb\xbf{}", "line 1, column 1: a value was expected"},
        {"nul", "line 1, column 1: a value was expected"},
        {"NaN", "line 1, column 1: a value was expected"},
        {"-Infinity", "line 1, column 2: a digit was expected"},
        {"+1", "line 1, column 1: a value was expected"},
        {"-", "line 1, column 2: a digit was expected"},
        {"01", "line 1, column 2: nothing may follow"},
        {"1.", "line 1, column 3: a digit was expected after the point"},
        {".5", "line 1, column 1: a value was expected"},
        {"1e", "line 1, column 3: a digit was expected in the exponent"},
        {"1e+", "line 1, column 4: a digit was expected in the exponent"},
        {"0x10", "line 1, column 2: nothing may follow"},
        {"1 2", "line 1, column 3: nothing may follow"},
        {"{} x", "line 1, column 4: nothing may follow"},
        {"[1,2", "line 1, column 5: ',' or ']' was expected"},
        {"[1 2]", "line 1, column 4: ',' or ']' was expected"},
        {"[1,]", "line 1, column 4: a value was expected"},
        {"[,1]", "line 1, column 2: a value was expected"},
        {"[1}", "line 1, column 3: ',' or ']' was expected"},
        {"{\"a\":1]", "line 1, column 7: ',' or '}' was expected"},
        {"{\"a\":1,}", "line 1, column 8: a name in double quotes was expected"},
        {"{a:1}", "line 1, column 2: a name in double quotes was expected"},
        {"{'a':1}", "line 1, column 2: a name in double quotes was expected"},
        {"{\"a\" 1}", "line 1, column 6: ':' was expected"},
        {"{\"a\":}", "line 1, column 6: a value was expected"},
        {"{\"a\":1,\n \"a\":2}", "line 2, column 2: this name is there already"},
        {"{\"a\":1,\"\\u0061\":2}", "line 1, column 8: this name is there already"},
        {"{\"a\\u0000\":1}", "line 1, column 2: a name cannot contain"},
        {"\"abc", "line 1, column 5: the text ends inside a string"},
        {"\"abc\\", "line 1, column 5: this is no escape"},
        {"\"\\x41\"", "line 1, column 2: this is no escape"},
        {"\"\\u12\"", "line 1, column 2: this is no escape"},
        {"\"\\u12g4\"", "line 1, column 2: this is no escape"},
        {"\"\\ud800\"", "line 1, column 2: half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", "line 1, column 2: half of a surrogate pair"},
        {"\"\\ude00\\ud83d\"", "line 1, column 2: half of a surrogate pair"},
        {"\"\\ud800\\ud800\"", "line 1, column 2: half of a surrogate pair"},
        {"\"a\nb\"", "line 1, column 3: a control character"},
        {"\"a\tb\"", "line 1, column 3: a control character"},
        {"\"\xc3\xa9\xff\"", "line 1, column 3: this is not UTF-8"},
        {"\"\xc0\x80\"", "line 1, column 2: this is not UTF-8"},
        {"\"\xed\xa0\x80\"", "line 1, column 2: this is not UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "line 1, column 2: this is not UTF-8"},
        {"{\"\xff\":1}", "line 1, column 3: this is not UTF-8"},
        {"{\n  \"\xc3\xa9\": [1,\n\n 2,, 3]}", "line 4, column 4: a value was expected"},
        {"/* no */ 1", "line 1, column 1: a value was expected"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {.code = ERR_NONE};

        if (parse(cases[i].text, &e) != NULL)
            fail_msg("%s: accepted", cases[i].text);
        assert_int_equal(e.code, ERR_MALFORMED_JSON);
        assert_memory_equal(e.message, "malformed JSON at ", 18);
        if (strncmp(e.message + 18, cases[i].where, strlen(cases[i].where)) != 0)
            fail_msg("%s: %s", cases[i].text, e.message);
    }
}

/* A NUL is a byte like any other, and nothing behind len is looked at. */
static void test_length(void **state) {
    struct err e;
    json_t *j = json_text_parse("[12]34", 4, DEPTH, &e);

    (void)state;
    assert_non_null(j);
    json_decref(j);
    assert_null(json_text_parse("1\0", 2, DEPTH, &e));
    assert_string_equal(e.message,
                        "malformed JSON at line 1, column 2: nothing may follow after the value");
    assert_null(json_text_parse("\"a\0b\"", 5, DEPTH, &e));
    assert_null(json_text_parse("\"\\\0\"", 4, DEPTH, &e));
    assert_null(json_text_parse(NULL, 0, DEPTH, &e));
    assert_int_equal(e.code, ERR_MALFORMED_JSON);
}

static void test_numbers_not_carried(void **state) {
    static const struct {
        const char *text, *field, *number;
    } cases[] = {
        {"9223372036854775808", "", "9223372036854775808"},
        {"[-9223372036854775809]", "[0]", "-9223372036854775809"},
        {"{\"id\":123456789012345678901234567890}", "id", "123456789012345678901234…"},
        {"{\"a\":{\"b\":[0,{\"c\":1e400}]}}", "a.b[1].c", "1e400"},
        {"[1,-1e309]", "[1]", "-1e309"},
        {"1e99999999999999999999", "", "1e99999999999999999999"},
        {"1e-400", "", "1e-400"},
        {"2e-324", "", "2e-324"},
        {"1e-99999999999999999999", "", "1e-99999999999999999999"},
        {"0.123456789012345678", "", "0.123456789012345678"},
        {"9007199254740993.0", "", "9007199254740993.0"},
        {"1.2345678e-320", "", "1.2345678e-320"},
        {"{\"metadata\":{\"ids\":[1,2,3,12345678901234567890]}}", "metadata.ids[3]",
         "12345678901234567890"},
        {"{\"a\\nb\":1e999}", "?", "1e999"},
        {"{\"\":1e999}", "", "1e999"},
    };
    char want[256];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {.code = ERR_NONE};

        if (parse(cases[i].text, &e) != NULL)
            fail_msg("%s: accepted", cases[i].text);
        assert_int_equal(e.code, ERR_INVALID_FIELD);
        assert_string_equal(e.field, cases[i].field);
        snprintf(want, sizeof(want),
                 "%s%sthe number %s cannot be carried exactly; send it as a string", e.field,
                 e.field[0] != '\0' ? ": " : "", cases[i].number);
        assert_string_equal(e.message, want);
    }
}

/* A path too long for its field is cut between characters, and says so. */
static void test_long_paths(void **state) {
    const char *long_name = "{\"ééééééééééééééééééééééééééééé\":1e999}";
    const char *deep =
        "{\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":{\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\""
        ":{\"ccccccccccccccccccccccccc\":[1e999]}}}";
    struct err e;

    (void)state;
    assert_null(parse(long_name, &e));
    assert_string_equal(e.field, "éééééééééééééééééééé…");
    assert_null(parse(deep, &e));
    assert_string_equal(e.field, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
                                 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.…");
}

/* `n` times `open`, and as often `close`. */
static char *nest(const char *open, const char *close, size_t n) {
    struct buf b;
    char *text;

    buf_init(&b, 64 * MIB);
    for (size_t i = 0; i < n; i++)
        buf_adds(&b, open);
    for (size_t i = 0; i < n; i++)
        buf_adds(&b, close);
    text = buf_take(&b, NULL);
    assert_non_null(text);
    return text;
}

static void test_depth(void **state) {
    static const struct {
        const char *open, *close;
        size_t n;
        unsigned max_depth;
        bool ok;
    } cases[] = {
        {"[", "]", 64, 64, true},
        {"[", "]", 65, 64, false},
        {"[{\"a\":", "1}]", 32, 64, false},
        {"[{\"a\":[", "]}]", 21, 64, true},
        {"[", "]", 1, 0, false},
        {"[", "]", JSON_TEXT_DEPTH_MAX, 100000, true},
        {"[", "", 1000000, 100000, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *text = nest(cases[i].open, cases[i].close, cases[i].n);
        struct err e = {.code = ERR_NONE};
        json_t *j = json_text_parse(text, strlen(text), cases[i].max_depth, &e);

        assert_int_equal(j != NULL, cases[i].ok);
        if (!cases[i].ok)
            assert_int_equal(e.code, ERR_MALFORMED_JSON);
        json_decref(j);
        free(text);
    }
}

/* An array of zeros, itself a value. */
static void test_too_many_values(void **state) {
    (void)state;
    for (size_t n = JSON_TEXT_VALUES_MAX; n <= JSON_TEXT_VALUES_MAX + 1; n++) {
        char *text = nest("0,", "", n);
        struct err e = {.code = ERR_NONE};
        json_t *j;

        text[0] = '[';
        text[1] = ' ';
        text[2 * n - 1] = ']';
        j = json_text_parse(text, 2 * n, DEPTH, &e);
        assert_int_equal(e.code, n > JSON_TEXT_VALUES_MAX ? ERR_PAYLOAD_TOO_LARGE : ERR_NONE);
        assert_int_equal(json_array_size(j), n > JSON_TEXT_VALUES_MAX ? 0 : n - 1);
        json_decref(j);
        free(text);
    }
}

static void test_add_real(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {3.0, "3.0"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e15, "1e+15"},
        {123456789012345.0, "123456789012345.0"},
        {9007199254740992.0, "9007199254740992.0"},
        {1e100, "1e+100"},
        {5e-324, "4.94065645841247e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {-2.5e-7, "-2.5e-07"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, KIB);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e;
        json_t *back;

        buf_reset(&b);
        json_text_add_real(&b, cases[i].value);
        assert_string_equal(b.data, cases[i].text);
        back = parse(b.data, &e);
        assert_true(json_is_real(back));
        assert_true(json_real_value(back) == cases[i].value);
        json_decref(back);
    }
    buf_free(&b);
}

static void test_add_string(void **state) {
    static const char bytes[] = "\"\\/\b\f\n\r\t\0\x1f\x7f ~ \xc3\xa9 12345678 \xf0\x9f\x98\x80";
    struct buf b;

    (void)state;
    buf_init(&b, KIB);
    json_text_add_string(&b, bytes, sizeof(bytes) - 1);
    assert_string_equal(b.data, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f ~ \xc3\xa9 12345678 "
                                "\xf0\x9f\x98\x80\"");
    buf_reset(&b);
    json_text_add_string(&b, "", 0);
    assert_string_equal(b.data, "\"\"");
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),          cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_length),          cmocka_unit_test(test_numbers_not_carried),
        cmocka_unit_test(test_long_paths),      cmocka_unit_test(test_depth),
        cmocka_unit_test(test_too_many_values), cmocka_unit_test(test_add_real),
        cmocka_unit_test(test_add_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
