#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime.h"

#define BYTES(s) (s), sizeof(s) - 1
#define HASH     "af63ee4c86020b22" /* of the seed "s" */

static struct address_list sender, recipient;

static int setup(void **state) {
    (void)state;
    return address_parse(&sender, BYTES("Zoë <zoe@example.org>"), NULL) == 0 &&
                   address_parse(&recipient, BYTES("bob@example.com"), NULL) == 0
               ? 0
               : -1;
}

static int teardown(void **state) {
    (void)state;
    address_list_fini(&sender);
    address_list_fini(&recipient);
    return 0;
}

static struct mime_message message(void) {
    return (struct mime_message){
        .from = sender, .to = recipient, .subject = "S", .date = -1, .seed = "s"};
}

static struct buf build(const struct mime_message *m, size_t *stable) {
    struct buf out;
    struct err e;

    buf_init(&out, MIB);
    if (mime_build(&out, m, stable, &e) != 0 || mime_check(m, MIB, &e) != 0 ||
        mime_check(m, out.len, &e) != 0)
        fail_msg("%s", e.message);
    assert_int_equal(mime_check(m, out.len - 1, &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    return out;
}

static void check_message(const struct mime_message *m, const char *want) {
    size_t stable;
    struct buf out = build(m, &stable);

    assert_string_equal(out.data + stable, want);
    buf_free(&out);
}

#define HEADER                                                                                     \
    "From: =?UTF-8?Q?Zo=C3=AB?= <zoe@example.org>\r\nTo: bob@example.com\r\nSubject: S\r\n"        \
    "MIME-Version: 1.0\r\n"
#define QP               "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
#define B64              "Content-Transfer-Encoding: base64\r\n"
#define PLAIN            "Content-Type: text/plain; charset=utf-8\r\n" QP
#define HYPER            "Content-Type: text/html; charset=utf-8\r\n" QP
#define ATTACHED         "Content-Disposition: attachment"
#define BETWEEN(level)   "\r\n--=_" level "_" HASH "\r\n"
#define END(level)       "\r\n--=_" level "_" HASH "--\r\n"
#define MULTIPART(level) "Content-Type: multipart/" level "; boundary=\"=_" level "_" HASH "\""

/* ---- structure ---- */

static void test_text_or_html_alone(void **state) {
    struct mime_message m = message();

    (void)state;
    check_message(&m, HEADER PLAIN);
    m.text = "Hi\n\nthere =\t\n";
    m.text_len = strlen(m.text);
    check_message(&m, HEADER PLAIN "Hi\r\n\r\nthere =3D=09\r\n");
    m.text_len = 2;
    check_message(&m, HEADER PLAIN "Hi\r\n");
    m.text = NULL;
    m.html = "<p>é\r\n";
    m.html_len = strlen(m.html);
    check_message(&m, HEADER HYPER "<p>=C3=A9\r\n");
}

static void test_alternative(void **state) {
    struct mime_message m = message();

    (void)state;
    m.text = "Hi";
    m.text_len = 2;
    m.html = "<p>";
    m.html_len = 3;
    check_message(&m, HEADER "Content-Type: multipart/alternative;\r\n"
                             " boundary=\"=_alternative_" HASH "\"\r\n" BETWEEN("alternative") PLAIN
                  "Hi" BETWEEN("alternative") HYPER "<p>" END("alternative"));
}

static void test_all_levels(void **state) {
    static const struct mime_part parts[] = {
        {.filename = "a.txt", .content_type = "text/plain", .data = "a", .len = 1},
        {.content_type = "image/png", .content_id = "logo", .data = "b", .len = 1},
        {.data = "", .len = 0},
    };
    struct mime_message m = message();

    (void)state;
    m.text = "Hi";
    m.text_len = 2;
    m.html = "<p>";
    m.html_len = 3;
    m.parts = parts;
    m.nparts = COUNT_OF(parts);
    check_message(
        &m,
        HEADER MULTIPART("mixed") "\r\n" BETWEEN("mixed")
            MULTIPART("related") ";\r\n type=\"multipart/alternative\"\r\n" BETWEEN(
                "related") "Content-Type: multipart/alternative;\r\n"
                           " boundary=\"=_alternative_" HASH "\"\r\n" BETWEEN("alternative") PLAIN
        "Hi" BETWEEN("alternative") HYPER "<p>" END("alternative") BETWEEN(
            "related") "Content-Type: image/png\r\n" B64
                       "Content-ID: <logo>\r\nContent-Disposition: inline\r\n\r\nYg==\r\n" END(
                           "related")
                           BETWEEN("mixed") "Content-Type: text/plain; name=a.txt\r\n" B64
                               ATTACHED "; filename=a.txt\r\n\r\nYQ==\r\n" BETWEEN(
                                   "mixed") "Content-Type: application/octet-stream\r\n" B64
                                   ATTACHED "\r\n\r\n" END("mixed"));
}

static void test_inline_without_html(void **state) {
    static const struct mime_part part = {.content_id = "x@y", .data = "b", .len = 1};
    struct mime_message m = message();

    (void)state;
    m.parts = &part;
    m.nparts = 1;
    check_message(
        &m, HEADER MULTIPART("mixed") "\r\n" BETWEEN("mixed") PLAIN BETWEEN(
                "mixed") "Content-Type: application/octet-stream\r\n" B64
                         "Content-ID: <x@y>\r\nContent-Disposition: inline\r\n\r\nYg==\r\n" END(
                             "mixed"));
    m.html = "<p>";
    m.html_len = 3;
    check_message(
        &m, HEADER MULTIPART("related") ";\r\n type=\"text/html\"\r\n" BETWEEN("related") HYPER
        "<p>" BETWEEN(
            "related") "Content-Type: application/octet-stream\r\n" B64
                       "Content-ID: <x@y>\r\nContent-Disposition: inline\r\n\r\nYg==\r\n" END(
                           "related"));
}

static void test_shorter_encoding(void **state) {
    struct mime_message m = message();

    (void)state;
    m.text = "漢字漢字\nb\r\n";
    m.text_len = strlen(m.text);
    check_message(&m, HEADER "Content-Type: text/plain; charset=utf-8\r\n" B64
                             "\r\n5ryi5a2X5ryi5a2XDQpiDQo=\r\n");
}

static void test_deterministic(void **state) {
    struct mime_message m = message(), other = message();
    size_t stable, other_stable;
    struct buf a, b;

    (void)state;
    m.text = m.html = other.text = other.html = "x";
    m.text_len = m.html_len = other.text_len = other.html_len = 1;
    m.date = 0;
    m.message_id = "a@b";
    other.date = 1772357400;
    other.message_id = "other-and-longer@b";
    a = build(&m, &stable);
    b = build(&other, &other_stable);
    assert_string_equal(a.data + stable, b.data + other_stable);
    buf_free(&b);
    other.seed = "t";
    b = build(&other, &other_stable);
    assert_string_not_equal(a.data + stable, b.data + other_stable);
    buf_free(&a);
    buf_free(&b);
}

/* ---- header ---- */

static void test_header(void **state) {
    struct mime_message m = message();
    struct address_list cc = {.n = 0}, bcc = {.n = 0}, reply_to = {.n = 0};
    size_t stable;
    struct buf out;

    (void)state;
    assert_int_equal(address_parse(&cc, BYTES("c@x.example, C <d@x.example>"), NULL), 0);
    assert_int_equal(address_parse(&bcc, BYTES("e@x.example"), NULL), 0);
    assert_int_equal(address_parse(&reply_to, BYTES("r@x.example"), NULL), 0);
    m.cc = cc;
    m.bcc = bcc;
    m.reply_to = reply_to;
    m.subject = "Grüße";
    m.date = 1772357400;
    m.message_id = "1@example.org";
    m.in_reply_to = "0@example.org";
    m.paraph_id = "3f0c";
    out = build(&m, &stable);
    assert_string_equal(out.data, "Date: Sun, 01 Mar 2026 09:30:00 +0000\r\n"
                                  "Message-ID: <1@example.org>\r\n"
                                  "From: =?UTF-8?Q?Zo=C3=AB?= <zoe@example.org>\r\n"
                                  "To: bob@example.com\r\n"
                                  "Cc: c@x.example, C <d@x.example>\r\n"
                                  "Bcc: e@x.example\r\n"
                                  "Reply-To: r@x.example\r\n"
                                  "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"
                                  "In-Reply-To: <0@example.org>\r\n"
                                  "References: <0@example.org>\r\n"
                                  "X-Paraph-Id: 3f0c\r\n"
                                  "MIME-Version: 1.0\r\n" PLAIN);
    assert_ptr_equal(strstr(out.data, "From: "), out.data + stable);
    buf_free(&out);
    address_list_fini(&cc);
    address_list_fini(&bcc);
    address_list_fini(&reply_to);
}

static void test_dates(void **state) {
    static const struct {
        int64_t date;
        const char *want;
    } cases[] = {
        {0, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"},
        {951827696, "Date: Tue, 29 Feb 2000 12:34:56 +0000\r\n"},
        {INT64_C(253402300799), "Date: Fri, 31 Dec 9999 23:59:59 +0000\r\n"},
        {-1, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mime_message m = message();
        size_t stable;
        struct buf out;

        m.date = cases[i].date;
        out = build(&m, &stable);
        assert_int_equal(stable, strlen(cases[i].want));
        assert_memory_equal(out.data, cases[i].want, stable);
        buf_free(&out);
    }
}

static void test_references_are_folded(void **state) {
    struct mime_message m = message();
    size_t stable;
    struct buf out;

    (void)state;
    m.references = "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b>  <cccccccccccccccccccccccccccccc@d> <e@f>";
    m.in_reply_to = "e@f";
    out = build(&m, &stable);
    assert_non_null(strstr(out.data, "In-Reply-To: <e@f>\r\n"
                                     "References: <aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b>\r\n"
                                     " <cccccccccccccccccccccccccccccc@d> <e@f>\r\n"));
    buf_free(&out);
}

/* ---- attachments ---- */

static void test_content_types(void **state) {
    static const struct {
        const char *type, *filename, *want;
    } cases[] = {
        {NULL, NULL, "application/octet-stream"},
        {NULL, "", "application/octet-stream"},
        {"Image/PNG", "é.png", "Image/PNG;\r\n name*=UTF-8''%C3%A9.png"},
        {"text/plain;charset=x ;  y=\"a \\\"b\"", NULL, "text/plain; charset=x; y=\"a \\\"b\""},
        {"text/plain; name=a.txt; x=y", "b.txt", "text/plain; x=y; name=b.txt"},
        {"text/plain; name=a.txt", NULL, "text/plain; name=a.txt"},
        {"message/rfc822", "a.eml", "application/octet-stream; name=a.eml"},
        {"Multipart/Mixed; boundary=x", NULL, "application/octet-stream"},
        {"application/vnd.a+json", "a;b\"c", "application/vnd.a+json; name=\"a;b\\\"c\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mime_message m = message();
        struct mime_part part = {.filename = cases[i].filename, .content_type = cases[i].type};
        size_t stable;
        char want[256];
        struct buf out;

        m.parts = &part;
        m.nparts = 1;
        snprintf(want, sizeof(want), "\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64",
                 cases[i].want);
        out = build(&m, &stable);
        if (strstr(out.data, want) == NULL)
            fail_msg("no '%s' in '%s'", want, out.data);
        buf_free(&out);
    }
}

/* Not copied, not reallocated: what mime_build() takes is what the message needs. */
static void test_large_attachment(void **state) {
    size_t n = 25 * MIB, stable;
    char *data = malloc(n);
    struct mime_part part = {.data = data, .len = n};
    struct mime_message m = message();
    struct buf out;
    struct err e;

    (void)state;
    assert_non_null(data);
    memset(data, 'x', n);
    m.parts = &part;
    m.nparts = 1;
    buf_init(&out, 40 * MIB);
    assert_int_equal(mime_build(&out, &m, &stable, &e), 0);
    assert_true(out.len > (n + 2) / 3 * 4 && out.cap < out.len + 64 * KIB);
    buf_free(&out);

    buf_init(&out, 30 * MIB);
    assert_int_equal(mime_build(&out, &m, &stable, &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    buf_free(&out);
    free(data);
}

/* ---- refusals ---- */

static void check_refused(const struct mime_message *m, const char *field) {
    size_t stable;
    struct buf out;
    struct err e;

    buf_init(&out, MIB);
    if (mime_build(&out, m, &stable, &e) == 0)
        fail_msg("not refused: %s", out.data);
    assert_int_equal(e.code, ERR_INVALID_FIELD);
    assert_string_equal(e.field, field);
    buf_free(&out);
    e = (struct err){.code = ERR_NONE};
    assert_int_equal(mime_check(m, MIB, &e), -1);
    assert_int_equal(e.code, ERR_INVALID_FIELD);
    assert_string_equal(e.field, field);
}

static void test_header_injection(void **state) {
    static const char *const values[] = {
        "a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\tb", "a\x7F", "a\xC2\x85", "a\u2028b", "\xFF"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct mime_message m = message();

        m.subject = values[i];
        check_refused(&m, "subject");
        m.subject = "S";
        m.paraph_id = values[i];
        check_refused(&m, "paraph_id");
    }
}

static void test_addresses_are_checked(void **state) {
    static const char *const fields[] = {"from", "to", "cc", "bcc", "reply_to"};
    char name[] = "a\nb", spec[] = "a@b.example", empty[] = "";
    struct address bad = {.name = name, .local = spec, .domain = spec, .spec = spec};
    struct address bad_spec = {.name = empty, .local = spec, .domain = spec, .spec = name};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct mime_message m = message();
        struct address_list *lists[] = {&m.from, &m.to, &m.cc, &m.bcc, &m.reply_to};

        *lists[i] = (struct address_list){.v = &bad, .n = 1};
        check_refused(&m, fields[i]);
        lists[i]->v = &bad_spec;
        check_refused(&m, fields[i]);
    }
}

static void test_one_sender(void **state) {
    struct mime_message m = message();

    (void)state;
    m.from = (struct address_list){.n = 0};
    check_refused(&m, "from");
}

static void test_message_ids(void **state) {
    static const char *const ids[] = {"",      "a",    "@",     "a@",  "@b",    "a b@c",
                                      "<a@b>", "a@b>", "a@b\n", "é@b", "a@\tb", "a@b\r\nX: y"};
    static const char *const references[] = {
        "",    "a@b",     "<a@b",    "<a@b><c@d>", "<a@b>,<c@d>", "<a@b>\r\n <c@d>", "<>",
        "<a>", "<a@b> c", "<<a@b>>", " "};
    char *long_id = malloc(1000);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct mime_message m = message();

        m.message_id = ids[i];
        check_refused(&m, "message_id");
        m.message_id = NULL;
        m.in_reply_to = ids[i];
        check_refused(&m, "in_reply_to");
    }
    for (size_t i = 0; i < COUNT_OF(references); i++) {
        struct mime_message m = message();

        m.references = references[i];
        check_refused(&m, "references");
    }
    assert_non_null(long_id);
    memset(long_id, 'a', 999);
    long_id[500] = '@';
    long_id[999] = '\0';
    check_refused(
        &(struct mime_message){.from = sender, .subject = "S", .message_id = long_id, .seed = "s"},
        "message_id");
    free(long_id);
}

static void test_bodies_are_text(void **state) {
    struct mime_message m = message();

    (void)state;
    m.text = "a\0b";
    m.text_len = 3;
    check_refused(&m, "text");
    m.text = "a\xC3";
    m.text_len = 2;
    check_refused(&m, "text");
    m.text = NULL;
    m.html = "a\xED\xA0\x80";
    m.html_len = 4;
    check_refused(&m, "html");
}

static void test_parts_are_checked(void **state) {
    static const struct {
        struct mime_part part;
        const char *field;
    } cases[] = {
        {{.filename = "a\r\nX: y"}, "attachments[1].filename"},
        {{.filename = "a\xFF"}, "attachments[1].filename"},
        {{.content_id = ""}, "attachments[1].content_id"},
        {{.content_id = "a b"}, "attachments[1].content_id"},
        {{.content_id = "<a>"}, "attachments[1].content_id"},
        {{.content_id = "a\n"}, "attachments[1].content_id"},
        {{.content_id = "é"}, "attachments[1].content_id"},
        {{.content_type = ""}, "attachments[1].content_type"},
        {{.content_type = "image"}, "attachments[1].content_type"},
        {{.content_type = "image/"}, "attachments[1].content_type"},
        {{.content_type = "/png"}, "attachments[1].content_type"},
        {{.content_type = "a/b/c"}, "attachments[1].content_type"},
        {{.content_type = "a/b\r\nX: y"}, "attachments[1].content_type"},
        {{.content_type = "a/b; x"}, "attachments[1].content_type"},
        {{.content_type = "a/b; x="}, "attachments[1].content_type"},
        {{.content_type = "a/b; x=\"y"}, "attachments[1].content_type"},
        {{.content_type = "a/b; x=\"y\\"}, "attachments[1].content_type"},
        {{.content_type = "a/b; x=\"\n\""}, "attachments[1].content_type"},
        {{.content_type = "a/b; x=y z"}, "attachments[1].content_type"},
        {{.content_type = "a/b; x*=UTF-8''y"}, "attachments[1].content_type"},
        {{.content_type = "a/é"}, "attachments[1].content_type"},
        {{.content_type = "message/rfc822\nX: y"}, "attachments[1].content_type"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mime_part parts[2] = {{.data = ""}, cases[i].part};
        struct mime_message m = message();

        m.parts = parts;
        m.nparts = 2;
        check_refused(&m, cases[i].field);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_or_html_alone),
        cmocka_unit_test(test_alternative),
        cmocka_unit_test(test_all_levels),
        cmocka_unit_test(test_inline_without_html),
        cmocka_unit_test(test_shorter_encoding),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_references_are_folded),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_large_attachment),
        cmocka_unit_test(test_header_injection),
        cmocka_unit_test(test_addresses_are_checked),
        cmocka_unit_test(test_one_sender),
        cmocka_unit_test(test_message_ids),
        cmocka_unit_test(test_bodies_are_text),
        cmocka_unit_test(test_parts_are_checked),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
