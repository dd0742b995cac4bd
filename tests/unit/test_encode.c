#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "encode.h"

#define ROOM     (64 * KIB)
#define BYTES(s) (s), sizeof(s) - 1

#define FAMILY "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466"
#define KISS   "\U0001F469\U0001F3FD\u200D\u2764\uFE0F\u200D\U0001F48B\u200D\U0001F468\U0001F3FF"

/* ---- UTF-8 ---- */

static void test_utf8_error(void **state) {
    static const struct {
        const char *s;
        size_t n, at;
    } cases[] = {
        {BYTES(""), 0},
        {BYTES("plain ASCII, longer than eight"), 30},
        {BYTES("a\0b"), 3},
        {BYTES("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"), 19},
        {BYTES("12345678\x80"), 8},             /* a continuation alone */
        {BYTES("\xC0\x80"), 0},                 /* overlong NUL */
        {BYTES("\xC1\xBF"), 0},                 /* overlong */
        {BYTES("\xE0\x9F\xBF"), 0},             /* overlong */
        {BYTES("\xF0\x8F\xBF\xBF"), 0},         /* overlong */
        {BYTES("a\xED\xA0\x80"), 1},            /* a surrogate */
        {BYTES("a\xED\xBF\xBF"), 1},            /* the last surrogate */
        {BYTES("\xED\x9F\xBF\xEE\x80\x80"), 6}, /* beside the surrogates */
        {BYTES("\xF4\x90\x80\x80"), 0},         /* beyond U+10FFFF */
        {BYTES("\xF8\x88\x80\x80\x80"), 0},
        {BYTES("ab\xC3"), 2}, /* cut short */
        {BYTES("ab\xE2\x82"), 2},
        {BYTES("ab\xF0\x9F\x98"), 2},
        {BYTES("\xC3(\xC3\xA9"), 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(encode_utf8_error(cases[i].s, cases[i].n), cases[i].at);
}

static void test_control_at(void **state) {
    static const struct {
        const char *s;
        size_t n, at;
    } cases[] = {
        {BYTES(""), 0},
        {BYTES("Grüße \u00A0\u2027\u202A"), 16}, /* beside C1 and the separators */
        {BYTES("a\tb"), 1},
        {BYTES("ab\r\n"), 2},
        {BYTES("ab\0"), 2},
        {BYTES("\x7F"), 0},
        {BYTES("é\xC2\x85"), 2},
        {BYTES("a\xC2\x9F"), 1},
        {BYTES("ab\u2028"), 2},
        {BYTES("ab\u2029"), 2},
        {BYTES("a\xC2"), 2},
        {BYTES("a\xE2\x80"), 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(encode_control_at(cases[i].s, cases[i].n), cases[i].at);
}

/* ---- hex, base64 ---- */

static void test_hex(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    encode_hex(&out, NULL, 0);
    assert_string_equal(out.data, "");
    encode_hex(&out, BYTES("\x00\x7F\xA0\xFF"));
    assert_string_equal(out.data, "007fa0ff");
    buf_free(&out);
}

static void test_base64(void **state) {
    static const struct {
        const char *s;
        size_t n;
        const char *padded, *url;
    } cases[] = {
        /* RFC 4648 §10 */
        {BYTES(""), "", ""},
        {BYTES("f"), "Zg==", "Zg"},
        {BYTES("fo"), "Zm8=", "Zm8"},
        {BYTES("foo"), "Zm9v", "Zm9v"},
        {BYTES("foob"), "Zm9vYg==", "Zm9vYg"},
        {BYTES("fooba"), "Zm9vYmE=", "Zm9vYmE"},
        {BYTES("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
        {BYTES("\xFB\xFF\xBF"), "+/+/", "-_-_"},
        {BYTES("\0\0"), "AAA=", "AAA"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        encode_base64(&out, cases[i].s, cases[i].n);
        assert_string_equal(out.data, cases[i].padded);
        buf_reset(&out);
        encode_base64url(&out, cases[i].s, cases[i].n);
        assert_string_equal(out.data, cases[i].url);
        buf_reset(&out);
        assert_int_equal(encode_base64_decode(&out, cases[i].padded, strlen(cases[i].padded), NULL),
                         0);
        assert_int_equal(out.len, cases[i].n);
        assert_memory_equal(out.data, cases[i].s, cases[i].n);
        buf_reset(&out);
        assert_int_equal(encode_base64_decode(&out, cases[i].url, strlen(cases[i].url), NULL), 0);
        assert_int_equal(out.len, cases[i].n);
    }
    buf_free(&out);
}

static void test_base64_lines(void **state) {
    unsigned char bytes[400];
    struct buf out, back;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7);
    buf_init(&out, ROOM);
    buf_init(&back, ROOM);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        buf_reset(&out);
        buf_reset(&back);
        encode_base64_lines(&out, bytes, n);
        assert_int_equal(out.len, encode_base64_lines_size(n));
        for (const char *line = out.data; *line != '\0'; line += strcspn(line, "\r") + 2) {
            assert_memory_equal(line + strcspn(line, "\r"), "\r\n", 2);
            assert_in_range(strcspn(line, "\r"), 1, 76);
            if (strlen(line) > 78)
                assert_int_equal(strcspn(line, "\r"), 76);
        }
        assert_int_equal(encode_base64_decode(&back, out.data, out.len, NULL), 0);
        assert_int_equal(back.len, n);
        assert_memory_equal(back.data, bytes, n);
    }
    buf_free(&out);
    buf_free(&back);
}

static void test_base64_decode_accepts(void **state) {
    static const char *const cases[][2] = {
        {" Zm9v\r\n\tYmFy \n", "foobar"},
        {"Z m 9 v Y g = = ", "foob"},
        {"Zm9vYg", "foob"},
        {"Pz8_", "???"},
        {"Pz8/", "???"},
        {"   ", ""},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        assert_int_equal(encode_base64_decode(&out, cases[i][0], strlen(cases[i][0]), NULL), 0);
        assert_string_equal(out.data, cases[i][1]);
    }
    buf_free(&out);
}

static void test_base64_decode_refuses(void **state) {
    static const struct {
        const char *s;
        size_t n;
        const char *offset;
    } cases[] = {
        {BYTES("Zm9v*mFy"), " 4 "},   {BYTES("Zm9vYmF\0"), " 7 "},
        {BYTES("+_8A"), " 1 "},       {BYTES("Pz8/Pz8_"), " 7 "},
        {BYTES("Pz8_ Pz+A"), " 7 "},  {BYTES("Zm9vY"), " 5"},
        {BYTES("Zg="), " 3"},         {BYTES("Zg==="), " 4 "},
        {BYTES("Zg==Zg=="), " 4 "},   {BYTES("Zm9v="), " 4 "},
        {BYTES("="), " 0 "},          {BYTES("Zh=="), " 4"},
        {BYTES("Zm9"), " 3"},         {BYTES("Zm9v\xC3\xA9"), " 4 "},
        {BYTES("data:,Zm9v"), " 4 "},
    };
    struct err e;
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char message[sizeof(e.message) + 1];

        buf_reset(&out);
        buf_adds(&out, "kept");
        assert_int_equal(encode_base64_decode(&out, cases[i].s, cases[i].n, &e), -1);
        assert_int_equal(e.code, ERR_INVALID_FIELD);
        snprintf(message, sizeof(message), "%s ", e.message);
        if (strstr(message, cases[i].offset) == NULL)
            fail_msg("case %zu: %s", i, e.message);
        assert_string_equal(out.data, "kept");
        assert_int_equal(strlen(out.data), out.len);
    }
    buf_free(&out);
}

static void test_base64_decode_ceiling(void **state) {
    struct err e;
    struct buf out;

    (void)state;
    buf_init(&out, 3);
    assert_int_equal(encode_base64_decode(&out, BYTES("Zm9v"), &e), 0);
    assert_int_equal(encode_base64_decode(&out, BYTES("Zm9v"), &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    buf_free(&out);
}

/* ---- quoted-printable ---- */

#define A70 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_quoted_printable(void **state) {
    static const char *const cases[][2] = {
        {"", ""},
        {"plain\n", "plain\r\n"},
        {"a\r\nb\nc", "a\r\nb\r\nc"},
        {"a\rb", "a=0Db"},
        {"a = b", "a =3D b"},
        {"Zoë", "Zo=C3=AB"},
        {"end \nend\t\r\nend ", "end=20\r\nend=09\r\nend=20"},
        {" in  the\tmiddle", " in  the\tmiddle"},
        {A70 "123456", A70 "123456"},
        {A70 "1234567", A70 "12345=\r\n67"},
        {A70 "123456\nx", A70 "123456\r\nx"},
        {A70 "123é", A70 "123=\r\n=C3=A9"},
        {A70 "12é", A70 "12=C3=\r\n=A9"},
        {A70 "12345 ", A70 "12345=\r\n=20"},
        {A70 "123 ", A70 "123=20"},
        {A70 "1234 x", A70 "1234 x"},
        {A70 "1234 xy", A70 "1234 =\r\nxy"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t n = strlen(cases[i][0]);

        buf_reset(&out);
        encode_quoted_printable(&out, cases[i][0], n, encode_quoted_printable_size(cases[i][0], n));
        assert_string_equal(out.data, cases[i][1]);
        assert_int_equal(encode_quoted_printable_size(cases[i][0], n), out.len);
    }
    buf_free(&out);
}

/* ---- headers ---- */

static void test_header(void **state) {
    static const char *const cases[][2] = {
        {"", "Subject:\r\n"},
        {"Hello, world", "Subject: Hello, world\r\n"},
        /* no more than needed is encoded, in the shorter of Q and B */
        {"Re: Grüße aus Köln",
         "Subject: Re: =?UTF-8?B?R3LDvMOfZQ==?= aus =?UTF-8?B?S8O2bG4=?=\r\n"},
        {"Grüße, schöne", "Subject: =?UTF-8?B?R3LDvMOfZSwgc2Now7ZuZQ==?=\r\n"},
        {"日本語", "Subject: =?UTF-8?B?5pel5pys6Kqe?=\r\n"},
        /* what a reader would trim or collapse */
        {" a", "Subject: =?UTF-8?Q?_a?=\r\n"},
        {"a ", "Subject: =?UTF-8?Q?a_?=\r\n"},
        {" ", "Subject: =?UTF-8?Q?_?=\r\n"},
        {"a  b c", "Subject: =?UTF-8?Q?a_?= b c\r\n"},
        {"a b  ", "Subject: a =?UTF-8?Q?b__?=\r\n"},
        /* what a reader would decode */
        {"=?UTF-8?Q?a?= b", "Subject: =?UTF-8?B?PT9VVEYtOD9RP2E/PQ==?= b\r\n"},
        {"what =? now", "Subject: what =?UTF-8?B?PT8=?= now\r\n"},
        {"a=20b_c?=", "Subject: a=20b_c?=\r\n"},
        /* nothing gets out of the field */
        {"a\r\nBcc: b@c", "Subject: =?UTF-8?B?YQ0KQmNjOg==?= b@c\r\n"},
        {"tab\there", "Subject: =?UTF-8?Q?tab=09here?=\r\n"},
        {"\xFF", "Subject: =?UTF-8?Q?=FF?=\r\n"},
        /* folding: at 76, at single spaces, never before the first word */
        {A70, "Subject: " A70 "\r\n"},
        {"12345678901234567890 " A70, "Subject: 12345678901234567890\r\n " A70 "\r\n"},
        {A70 " b", "Subject: " A70 "\r\n b\r\n"},
        {"1234567890123456789012345678901234567890123456789012345678901234567",
         "Subject: 1234567890123456789012345678901234567890123456789012345678901234567\r\n"},
        {"12345678901234567890123456789012345678901234567890123456789012345 7",
         "Subject: 12345678901234567890123456789012345678901234567890123456789012345 7\r\n"},
        {"12345678901234567890123456789012345678901234567890123456789012345 78",
         "Subject: 12345678901234567890123456789012345678901234567890123456789012345\r\n 78\r\n"},
        /* an encoded word that fits on a line of its own is not cut */
        {"123456789012345678901234567890123456789012345678901234 " KISS,
         "Subject: 123456789012345678901234567890123456789012345678901234\r\n"
         " =?UTF-8?B?8J+RqfCfj73igI3inaTvuI/igI3wn5KL4oCN8J+RqPCfj78=?=\r\n"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&out);
        encode_header(&out, "Subject", cases[i][0]);
        assert_string_equal(out.data, cases[i][1]);
    }
    buf_free(&out);
}

/* Encode `unit` many times behind a prefix of every length; every encoded word must hold whole
 * units, but for what stands around them. */
static void check_clusters(const char *unit) {
    size_t size = strlen(unit);
    struct buf value, out, word;

    buf_init(&value, ROOM);
    buf_init(&out, ROOM);
    buf_init(&word, ROOM);
    for (size_t prefix = 0; prefix < 80; prefix++) {
        buf_reset(&value);
        buf_reset(&out);
        for (size_t i = 0; i < prefix; i++)
            buf_addc(&value, 'x');
        for (size_t i = 0; i < 30; i++)
            buf_adds(&value, unit);
        encode_header(&out, "Subject", value.data);
        for (const char *s = out.data; (s = strstr(s, "=?UTF-8?B?")) != NULL;) {
            s += strlen("=?UTF-8?B?");
            assert_true(strcspn(s, "?") + 12 <= 75);
            buf_reset(&word);
            assert_int_equal(encode_base64_decode(&word, s, strcspn(s, "?"), NULL), 0);
            assert_int_equal(strspn(word.data, "x") +
                                 (word.len - strspn(word.data, "x")) / size * size,
                             word.len);
        }
    }
    buf_free(&value);
    buf_free(&out);
    buf_free(&word);
}

static void test_header_keeps_clusters_whole(void **state) {
    static const char *const units[] = {
        "é",
        "日",
        "\U0001F44D",
        "\U0001F44D\U0001F3FD",
        FAMILY,
        KISS,
        "\U0001F1E9\U0001F1EA",                               /* a flag */
        "\U0001F3F3\uFE0F\u200D\U0001F308",                   /* the rainbow flag */
        "\U0001F3F4\U000E0067\U000E0062\U000E0073\U000E007F", /* tags */
        "e\u0301\u0323",
        "1\uFE0F\u20E3",
        "\u0915\u094D\u0937\u093F",
        "\u0E17\u0E35\u0E48",
        "\u1112\u1161\u11AB",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        check_clusters(units[i]);
}

/* What is larger than any word is cut between characters, in time that does not explode. */
static void test_header_with_an_endless_cluster(void **state) {
    struct buf value, out;
    const char *s;

    (void)state;
    buf_init(&value, MIB);
    buf_init(&out, 4 * MIB);
    buf_adds(&value, "a");
    for (int i = 0; i < 100000; i++)
        buf_adds(&value, "\u0301");
    encode_header(&out, "Subject", value.data);
    assert_false(buf_failed(&out));
    for (s = out.data; (s = strstr(s, "=?UTF-8?B?")) != NULL; s += strlen("=?UTF-8?B?")) {
        struct buf word;

        buf_init(&word, KIB);
        assert_int_equal(encode_base64_decode(&word, s + 10, strcspn(s + 10, "?"), NULL), 0);
        assert_int_equal(encode_utf8_error(word.data, word.len), word.len);
        buf_free(&word);
    }
    buf_free(&value);
    buf_free(&out);
}

static size_t longest_line(const char *s) {
    size_t longest = 0;

    for (; *s != '\0'; s += strcspn(s, "\r") + 2) {
        assert_memory_equal(s + strcspn(s, "\r"), "\r\n", 2);
        if (strcspn(s, "\r") > longest)
            longest = strcspn(s, "\r");
    }
    return longest;
}

static void test_header_of_long_words(void **state) {
    char word[1200];
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t n = 1; n < sizeof(word); n += 37) {
        memset(word, 'w', n);
        word[n] = '\0';
        buf_reset(&out);
        encode_header(&out, "Subject", word);
        assert_in_range(longest_line(out.data), 1, 998);
        assert_int_equal(strstr(out.data, "=?") != NULL, n > 900);
        if (n > 900)
            assert_in_range(longest_line(out.data), 1, 76);
    }
    buf_free(&out);
}

static void test_phrase(void **state) {
    static const char *const cases[][2] = {
        {"Bob", " Bob"},
        {"Bob van Dyke", " Bob van Dyke"},
        {"Dr. Bob", " \"Dr. Bob\""},
        {"Dyke, Bob", " \"Dyke, Bob\""},
        {"the \"Boss\" \\o/", " \"the \\\"Boss\\\" \\\\o/\""},
        {"bob@example.org", " \"bob@example.org\""},
        {"Zoë", " =?UTF-8?Q?Zo=C3=AB?="},
        {"Müller, Jörg", " =?UTF-8?B?TcO8bGxlciwgSsO2cmc=?="},
        {"Jörg (the boss)", " =?UTF-8?Q?J=C3=B6rg_=28the_boss=29?="},
        {"Jörg von Müller", " =?UTF-8?B?SsO2cmc=?= von =?UTF-8?Q?M=C3=BCller?="},
        {" Bob", " =?UTF-8?Q?_Bob?="},
        {"B  \"", " =?UTF-8?Q?B__=22?="},
        {"=?UTF-8?Q?x?=", " =?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?="},
        {"", ""},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t col = 3;

        buf_reset(&out);
        encode_phrase(&out, &col, cases[i][0]);
        assert_string_equal(out.data, cases[i][1]);
        assert_int_equal(col, 3 + out.len);
    }
    buf_free(&out);
}

static void test_phrase_folds(void **state) {
    struct buf out;
    size_t col = 70;

    (void)state;
    buf_init(&out, ROOM);
    encode_phrase(&out, &col, "Bob van Dyke");
    assert_string_equal(out.data, " Bob\r\n van Dyke");
    assert_int_equal(col, 9);
    encode_token(&out, &col, "", A70, "");
    assert_string_equal(out.data, " Bob\r\n van Dyke\r\n " A70);
    assert_int_equal(col, 71);
    buf_reset(&out);
    encode_phrase(&out, &col, A70 ", " A70); /* too long for a quoted string */
    buf_adds(&out, "\r\n");
    assert_in_range(longest_line(out.data + 2), 1, 76);
    assert_non_null(strstr(out.data, "=?UTF-8?Q?"));
    buf_free(&out);
}

static void test_parameter(void **state) {
    static const char *const cases[][2] = {
        {"a.pdf", "; filename=a.pdf"},
        {"a b.pdf", "; filename=\"a b.pdf\""},
        {"a(1);x=\".pdf\\", "; filename=\"a(1);x=\\\".pdf\\\\\""},
        {"", "; filename=\"\""},
        {"ü.pdf", ";\r\n filename*=UTF-8''%C3%BC.pdf"},
        {"100% 'ü'*", ";\r\n filename*=UTF-8''100%25%20%27%C3%BC%27%2A"},
        {" a", ";\r\n filename*=UTF-8''%20a"},
        {"a  b", ";\r\n filename*=UTF-8''a%20%20b"},
        {"=?UTF-8?Q?x?=", ";\r\n filename*=UTF-8''%3D%3FUTF-8%3FQ%3Fx%3F%3D"},
        {"a\r\nX: y", ";\r\n filename*=UTF-8''a%0D%0AX%3A%20y"},
        {A70 ".pdf",
         ";\r\n filename*0*=UTF-8''aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;\r\n"
         " filename*1*=aaaaaaaaaaaaaa.pdf"},
        /* sections end at a character */
        {"日本語日本語日本語",
         ";\r\n filename*0*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E%E6%97%A5%E6%9C%AC%E8%AA%9E;\r\n"
         " filename*1*=%E6%97%A5%E6%9C%AC%E8%AA%9E"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t col = 31;
        const char *last;

        buf_reset(&out);
        encode_parameter(&out, &col, "filename", cases[i][0]);
        assert_string_equal(out.data, cases[i][1]);
        last = strrchr(out.data, '\n');
        assert_int_equal(col, last != NULL ? strlen(last + 1) : 31 + out.len);
    }
    buf_free(&out);
}

static void test_parameter_folds(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t n = 1; n < 300; n++) {
        char value[301];
        size_t col = 31;

        memset(value, n % 2 == 0 ? 'a' : ' ', n);
        value[0] = value[n - 1] = 'z';
        value[n] = '\0';
        buf_reset(&out);
        buf_adds(&out, "Content-Disposition: attachment");
        encode_parameter(&out, &col, "filename", value);
        encode_parameter(&out, &col, "size", "1");
        buf_adds(&out, "\r\n");
        assert_in_range(longest_line(out.data), 31, 78);
    }
    buf_free(&out);
}

/* ---- percent ---- */

static void test_percent(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    encode_percent(&out, BYTES("aZ09-._~ é/+\0"));
    assert_string_equal(out.data, "aZ09-._~%20%C3%A9%2F%2B%00");
    buf_reset(&out);
    assert_int_equal(encode_percent_decode(&out, BYTES("a+b%2B%c3%A9%00")), 0);
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, "a b+\xC3\xA9\0", 7);
    assert_int_equal(encode_percent_decode(&out, BYTES("%")), -1);
    assert_int_equal(encode_percent_decode(&out, BYTES("%4")), -1);
    assert_int_equal(encode_percent_decode(&out, BYTES("a%4g")), -1);
    assert_int_equal(encode_percent_decode(&out, BYTES("%-1")), -1);
    buf_free(&out);
}

/* A ceiling is a failure of the buffer, whatever was being written. */
static void test_ceiling(void **state) {
    struct buf out;
    size_t col = 0;

    (void)state;
    for (size_t max = 0; max < 60; max++) {
        buf_init(&out, max);
        encode_header(&out, "Subject", "Zoë and a few words");
        encode_phrase(&out, &col, "Müller, Jörg");
        encode_parameter(&out, &col, "filename", "日本語.pdf");
        encode_quoted_printable(&out, BYTES("a=b"), 5);
        encode_base64_lines(&out, BYTES("abc"));
        assert_true(buf_failed(&out));
        assert_true(out.len <= max);
        buf_free(&out);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_error),
        cmocka_unit_test(test_control_at),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_lines),
        cmocka_unit_test(test_base64_decode_accepts),
        cmocka_unit_test(test_base64_decode_refuses),
        cmocka_unit_test(test_base64_decode_ceiling),
        cmocka_unit_test(test_quoted_printable),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_keeps_clusters_whole),
        cmocka_unit_test(test_header_with_an_endless_cluster),
        cmocka_unit_test(test_header_of_long_words),
        cmocka_unit_test(test_phrase),
        cmocka_unit_test(test_phrase_folds),
        cmocka_unit_test(test_parameter),
        cmocka_unit_test(test_parameter_folds),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
