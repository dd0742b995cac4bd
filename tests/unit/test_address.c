#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "address.h"
#include "encode.h"

#define ROOM (64 * KIB)
#define X10  "xxxxxxxxxx"
#define X60  X10 X10 X10 X10 X10 X10

/* What was parsed as "name|spec" for each mailbox, separated by spaces. */
static void add_list(struct buf *out, const struct address_list *list) {
    for (size_t i = 0; i < list->n; i++)
        buf_addf(out, "%s%s|%s", i > 0 ? " " : "", list->v[i].name, list->v[i].spec);
}

static void test_accepts(void **state) {
    static const char *const cases[][2] = {
        {"", ""},
        {"   ", ""},
        {"a@b", "|a@b"},
        {" bob@Example.ORG ", "|bob@example.org"},
        {"<bob@example.org>", "|bob@example.org"},
        {"Bob <bob@example.org>", "Bob|bob@example.org"},
        {"Bob<bob@example.org>", "Bob|bob@example.org"},
        {"Bob   van  Dyke <bob@example.org>", "Bob van Dyke|bob@example.org"},
        {"J. R. Bob <bob@example.org>", "J. R. Bob|bob@example.org"},
        {"\"Dyke, Bob\" <bob@example.org>", "Dyke, Bob|bob@example.org"},
        {"\"a \\\"b\\\" \\\\c\" <bob@x>", "a \"b\" \\c|bob@x"},
        {"\"Dr.\" Zoë \"van\" Ü <z@x>", "Dr. Zoë van Ü|z@x"},
        {"\"\" <bob@x>", "|bob@x"},
        {"Zo\u00EB \U0001F44D <z@x>", "Zo\u00EB \U0001F44D|z@x"},
        {"=?UTF-8?Q?a?= <z@x>", "=?UTF-8?Q?a?=|z@x"},
        /* local parts */
        {"o'brien+tag.x!#$%&*/=?^_`{|}~-@x", "|o'brien+tag.x!#$%&*/=?^_`{|}~-@x"},
        {"Zoë@x", "|Zoë@x"},
        {"\"a b\"@x", "|\"a b\"@x"},
        {"<\"a@b\"@x>", "|\"a@b\"@x"},
        {"\"simple\"@x", "|simple@x"},
        {"\"a\\\"\\\\b\"@x", "|\"a\\\"\\\\b\"@x"},
        {"\".a\"@x", "|\".a\"@x"},
        /* comments and white space */
        {"(hi) bob (he (really)) @ (at) example.org (\\) there)", "|bob@example.org"},
        {"Bob (the boss) <(x)bob(y)@(z)x(w)> (end)", "Bob|bob@x"},
        {"(nobody)", ""},
        /* lists */
        {"a@x,b@x", "|a@x |b@x"},
        {" , a@x ,, B <b@x> , ", "|a@x B|b@x"},
        {"\"a, b\" <c@x>, d@x", "a, b|c@x |d@x"},
        /* groups */
        {"Team: a@x, B <b@x>;", "|a@x B|b@x"},
        {"undisclosed-recipients:;", ""},
        {"a@x, \"The Team\": b@x,, c@x ; , Other: ;, d@x", "|a@x |b@x |c@x |d@x"},
        {"Team:,a@x,;", "|a@x"},
        /* domains */
        {"a@localhost", "|a@localhost"},
        {"a@xn--bcher-kva.de", "|a@xn--bcher-kva.de"},
        {"a@BÜCHER.de", "|a@xn--bcher-kva.de"},
        {"a@faß.de", "|a@xn--fa-hia.de"}, /* not "fass" */
        {"a@日本語。jp", "|a@xn--wgv71a119e.jp"},
        {"a@r3---sn.example", "|a@r3---sn.example"},
        {"a@1.2", "|a@1.2"},
        {"a@" X60 "xxx.x", "|a@" X60 "xxx.x"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address_list list = {.n = 0};
        struct err e = {.message = ""};

        buf_reset(&out);
        if (address_parse(&list, cases[i][0], strlen(cases[i][0]), &e) != 0)
            fail_msg("%s: %s", cases[i][0], e.message);
        add_list(&out, &list);
        assert_string_equal(out.data, cases[i][1]);
        address_list_fini(&list);
    }
    buf_free(&out);
}

/* text, the piece that the sentence quotes, what it says is wrong */
static void test_refuses(void **state) {
    static const char *const cases[][3] = {
        {"bob", "bob", "the @ is missing"},
        {"a@x, bob , c@x", "bob", "the @ is missing"},
        {"Bob <bob>", "Bob <bob>", "the @ is missing"},
        {"Bob <>", "Bob <>", "the @ is missing"},
        {"bob@", "bob@", "the domain is missing"},
        {"Bob <bob@>", "Bob <bob@>", "the domain is missing"},
        {"bob@\"x\"", "bob@\"x\"", "the domain is missing"},
        {"@x", "@x", "nothing stands before the @"},
        {"\"\"@x", "\"\"@x", "nothing stands before the @"},
        {"<@a,@b:c@d>", "<@a", "nothing stands before the @"}, /* a source route */
        {"a..b@x", "a..b@x", "a dot too many"},
        {".a@x", ".a@x", "a dot too many"},
        {"a.@x", "a.@x", "a dot too many"},
        {"a@[127.0.0.1]", "a@[127.0.0.1]", "address literal"},
        {"a@ [IPv6:::1]", "a@ [IPv6:::1]", "address literal"},
        {"a@x\r\nBcc: b@y", "a@x??Bcc: b@y", "control character"},
        {"c@x, a\tb@x, d@x", "a?b@x", "control character"},
        {"\"a\u2028b\" <a@x>", "\"a?b\" <a@x>", "control character"},
        {"\"Bob <bob@x>", "\"Bob <bob@x>", "a quote is not closed"},
        {"\"Bob\\\"", "\"Bob\\\"", "a quote is not closed"},
        {"\"Bob\\", "\"Bob\\", "a quote is not closed"},
        {"bob@x (the boss", "bob@x (the boss", "a comment is not closed"},
        {"bob@x (\\)", "bob@x (\\)", "a comment is not closed"},
        {"Bob <bob@x", "Bob <bob@x", "the '>' is missing"},
        {"Bob <bob@x, a@x", "Bob <bob@x", "the '>' is missing"},
        {"Bob bob@x", "Bob bob@x", "needs < and >"},
        {"a b@x", "a b@x", "needs < and >"},
        {"<a b@x>", "<a b@x>", "needs quotes"},
        {"<(c)\"a\"b@x>", "<(c)\"a\"b@x>", "needs quotes"},
        {"a@x b@x", "a@x b@x", "only a comma may follow"},
        {"a@x; b@x", "a@x; b@x", "only a comma may follow"},
        {"a@x>", "a@x>", "only a comma may follow"},
        {"T: a@x; b@x", "a@x; b@x", "only a comma may follow"},
        {"Bob [x] <bob@x>", "Bob [x] <bob@x>", "outside quotes"},
        {"a)@x", "a)@x", "outside quotes"},
        {"a\\@x", "a\\@x", "outside quotes"},
        {"Team: a@x, b@x", "Team: a@x, b@x", "the group is not closed"},
        {"mailto:bob@x", "mailto:bob@x", "the group is not closed"},
        {"T: bob; , a@x", "bob", "the @ is missing"},
        {"T: U: a@x;;", "U: a@x", "the @ is missing"},
        {": a@x;", ": a@x;", "the @ is missing"},
        {"a@x..y", "a@x..y", "a dot too many"},
        {"a@.x", "a@.x", "a dot too many"},
        {"a@x.", "a@x.", "a dot too many"},
        {"a@-x.de", "a@-x.de", "a hyphen"},
        {"a@x-.de", "a@x-.de", "a hyphen"},
        {"a@a_b.de", "a@a_b.de", "only letters, digits and hyphens"},
        {"a@b!c", "a@b!c", "only letters, digits and hyphens"},
        {"a@\u2100.de", "a@\u2100.de", "only letters, digits and hyphens"}, /* maps to a/c */
        {"a@\u2603.de", "a@\u2603.de", "not a valid internationalized name"},
        {"a@xn--zzzz-.de", "a@xn--zzzz-.de", "not a valid internationalized name"},
        {"a@\u00FCab--.de", "a@\u00FCab--.de", "not a valid internationalized name"},
        {"a@" X60 "xxxx.de", "a@" X60 "xxxx.de", "longer than 63"},
        {X60 "12345@x", X60 "12345@x", "longer than 64"},
        {"\"" X60 " 23\"@x", "\"" X60 " 23\"@x", "longer than 64"}, /* quotes count (RFC 5321) */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address_list list = {.n = 0};
        struct err e = {.message = ""};
        char piece[256];

        snprintf(piece, sizeof(piece), "'%s' is not an e-mail address: ", cases[i][1]);
        if (address_parse(&list, cases[i][0], strlen(cases[i][0]), &e) != -1)
            fail_msg("accepted: %s", cases[i][0]);
        assert_int_equal(e.code, ERR_INVALID_RECIPIENT);
        if (strncmp(e.message, piece, strlen(piece)) != 0 || strstr(e.message, cases[i][2]) == NULL)
            fail_msg("%s: %s", cases[i][0], e.message);
        assert_int_equal(list.n, 0);
        address_list_fini(&list);
    }
}

static void test_refuses_bytes(void **state) {
    static const char nul[] = "bob@x\0.org";
    struct address_list list = {.n = 0};
    struct err e;

    (void)state;
    assert_int_equal(address_parse(&list, nul, sizeof(nul) - 1, &e), -1);
    assert_string_equal(e.message,
                        "'bob@x?.org' is not an e-mail address: it has a control character");
    assert_int_equal(address_parse(&list, "bob\xFF@x", 6, &e), -1);
    assert_int_equal(e.code, ERR_INVALID_RECIPIENT);
    assert_int_equal(encode_utf8_error(e.message, strlen(e.message)), strlen(e.message));
    address_list_fini(&list);
}

static void test_limits(void **state) {
    struct address_list list = {.n = 0};
    struct buf text;
    struct err e;

    (void)state;
    buf_init(&text, ROOM);
    /* 254 octets: 9 + @ + 4 * 61 */
    buf_adds(&text, "123456789@" X60 "." X60 "." X60 "." X60 "x");
    assert_int_equal(text.len, 254);
    assert_int_equal(address_parse(&list, text.data, text.len, &e), 0);
    assert_int_equal(strlen(list.v[0].spec), 254);
    buf_adds(&text, "x");
    assert_int_equal(address_parse(&list, text.data, text.len, &e), -1);
    assert_non_null(strstr(e.message, "longer than 254"));
    assert_int_equal(list.n, 1);
    /* a domain that would keep IDNA busy */
    buf_reset(&text);
    buf_adds(&text, "a@");
    for (int i = 0; i < 10000; i++)
        buf_adds(&text, "ü");
    assert_int_equal(address_parse(&list, text.data, text.len, &e), -1);
    assert_non_null(strstr(e.message, "…' is not an e-mail address: the domain is too long"));
    assert_true(strlen(e.message) < 200);
    assert_int_equal(encode_utf8_error(e.message, strlen(e.message)), strlen(e.message));
    /* depth */
    buf_reset(&text);
    for (int i = 0; i < 30000; i++)
        buf_adds(&text, "(");
    assert_int_equal(address_parse(&list, text.data, text.len, &e), -1);
    for (int i = 0; i < 30000; i++)
        buf_adds(&text, ")");
    buf_adds(&text, "a@x");
    assert_int_equal(address_parse(&list, text.data, text.len, &e), 0);
    assert_int_equal(list.n, 2);
    address_list_fini(&list);
    buf_free(&text);
}

static void test_list_is_as_before(void **state) {
    static const char text[] = "c@x, D <d@x>, Team: e@x, f@";
    struct address_list list = {.n = 0};
    struct err e;

    (void)state;
    assert_int_equal(address_parse(&list, "a@x, b@x", 8, &e), 0);
    assert_int_equal(address_parse(&list, text, sizeof(text) - 1, &e), -1);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.v[1].spec, "b@x");
    address_list_fini(&list);
    assert_null(list.v);
}

static void test_list_add(void **state) {
    struct address_list list = {.n = 0};
    struct err e;

    (void)state;
    assert_int_equal(address_parse(&list, "Bob <\"b b\"@X>", 13, &e), 0);
    assert_int_equal(address_list_add(&list, &list.v[0], "Zoë, Dr."), 0);
    for (size_t i = 2; i < ADDRESS_LIST_MAX; i++) /* from the list itself, across its growth */
        assert_int_equal(address_list_add(&list, &list.v[0], NULL), 0);
    assert_string_equal(list.v[0].name, "Bob");
    assert_string_equal(list.v[1].name, "Zoë, Dr.");
    assert_string_equal(list.v[1].local, "b b");
    assert_string_equal(list.v[1].domain, "x");
    assert_string_equal(list.v[1].spec, "\"b b\"@x");
    assert_string_equal(list.v[ADDRESS_LIST_MAX - 1].name, "Bob");
    assert_int_equal(address_list_add(&list, &list.v[0], NULL), -1);
    assert_int_equal(address_parse(&list, "a@x", 3, &e), -1);
    assert_string_equal(e.message, "there are more than 2000 e-mail addresses");
    address_list_fini(&list);
}

static void test_format(void **state) {
    static const char *const cases[][2] = {
        {"BOB@Example.org", "BOB@example.org"},
        {"\"Bob\" <bob@x>", "Bob <bob@x>"},
        {"\"Zoë\" \"van\" Dyke <z@bücher.de>", "Zoë van Dyke <z@xn--bcher-kva.de>"},
        {"J. Bob <b@x>", "\"J. Bob\" <b@x>"},
        {"\" a  b\" <b@x>", "\" a  b\" <b@x>"},
        {"\"a\\\"\\\\,\" <\"x y\"@x>", "\"a\\\"\\\\,\" <\"x y\"@x>"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address_list list = {.n = 0};

        buf_reset(&out);
        assert_int_equal(address_parse(&list, cases[i][0], strlen(cases[i][0]), NULL), 0);
        address_format(&out, &list.v[0]);
        assert_string_equal(out.data, cases[i][1]);
        address_list_fini(&list);
    }
    buf_free(&out);
}

static void test_header(void **state) {
    static const char *const cases[][2] = {
        {"", ""},
        {"a@x", "To: a@x\r\n"},
        {"a@x, Bob <b@x>", "To: a@x, Bob <b@x>\r\n"},
        {"Zoë <zoë@x>", "To: =?UTF-8?Q?Zo=C3=AB?= <zoë@x>\r\n"}, /* RFC 6532 */
        {"\"Dyke, Bob\" <\"b b\"@x>", "To: \"Dyke, Bob\" <\"b b\"@x>\r\n"},
        /* folded between mailboxes, inside names, before the address */
        {X60 "@" X10 ", " X60 "@x", "To: " X60 "@" X10 ",\r\n " X60 "@x\r\n"},
        {"Bob " X60 " Zoe <b@x>", "To: Bob " X60 " Zoe\r\n <b@x>\r\n"},
        {"Bob " X60 " " X60 " Zoe <b@x>", "To: Bob " X60 "\r\n " X60 " Zoe <b@x>\r\n"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address_list list = {.n = 0};

        buf_reset(&out);
        assert_int_equal(address_parse(&list, cases[i][0], strlen(cases[i][0]), NULL), 0);
        address_header(&out, "To", &list);
        assert_string_equal(out.data, cases[i][1]);
        address_list_fini(&list);
    }
    buf_free(&out);
}

/* A name that no parser let through cannot get out of its field either. */
static void test_header_injection(void **state) {
    struct address_list list = {.n = 0};
    struct buf out;

    (void)state;
    buf_init(&out, ROOM);
    assert_int_equal(address_parse(&list, "a@x", 3, NULL), 0);
    assert_int_equal(address_list_add(&list, &list.v[0], "Bob\r\nBcc: c@x"), 0);
    address_header(&out, "To", &list);
    assert_string_equal(out.data, "To: a@x, =?UTF-8?B?Qm9iDQpCY2M6IGNAeA==?= <a@x>\r\n");
    address_list_fini(&list);
    buf_free(&out);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_refuses_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_list_is_as_before),
        cmocka_unit_test(test_list_add),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_injection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
