#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "gmail_text.h"

static json_t *parse(const char *text) {
    json_t *tree = json_text_parse(text, strlen(text), 32, NULL);

    assert_non_null(tree);
    return tree;
}

/* --- scopes ---------------------------------------------------------------------------------- */

#define AUTH "https://www.googleapis.com/auth/"

static void test_scopes(void **state) {
    static const struct {
        const char *scopes;
        bool identities, drafts, headers, search;
    } cases[] = {
        {"https://mail.google.com/", true, true, true, true},
        {AUTH "gmail.modify", true, true, true, true},
        {AUTH "gmail.readonly", true, false, true, true},
        {AUTH "gmail.send", false, false, false, false},
        {AUTH "gmail.compose", false, true, false, false},
        {AUTH "gmail.compose " AUTH "gmail.settings.basic", true, true, false, false},
        {AUTH "gmail.send  " AUTH "gmail.metadata", false, false, true, false},
        {AUTH "gmail.metadata " AUTH "gmail.readonly", true, false, true, false},
        {"", false, false, false, false},
        {" https://mail.google.com/x gmail.modify " AUTH "gmail.modif", false, false, false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *s = cases[i].scopes;

        assert_int_equal(gmail_scopes_cover(s, GMAIL_IDENTITIES), cases[i].identities);
        assert_int_equal(gmail_scopes_cover(s, GMAIL_DRAFTS), cases[i].drafts);
        assert_int_equal(gmail_scopes_cover(s, GMAIL_HEADERS), cases[i].headers);
        assert_int_equal(gmail_scopes_cover(s, GMAIL_SEARCH), cases[i].search);
    }
}

static void test_want_of_a_scope(void **state) {
    (void)state;
    assert_true(gmail_lacks_scope(403, "insufficientPermissions"));
    assert_true(gmail_lacks_scope(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT"));
    assert_false(gmail_lacks_scope(403, "rateLimitExceeded"));
    assert_false(gmail_lacks_scope(401, "insufficientPermissions"));
    assert_false(gmail_lacks_scope(0, ""));
}

/* --- requests -------------------------------------------------------------------------------- */

/* Every length of the last group, and bytes that need both letters of the URL alphabet. */
static void test_json_body(void **state) {
    char bytes[70];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(255 - i);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        struct blob *message = blob_copy(bytes, n), *body = gmail_json_body(message, NULL, false);
        json_t *tree = json_text_parse(body->data, body->len, 8, NULL);
        const char *raw = json_string_value(json_object_get(tree, "raw"));
        struct buf out;

        assert_non_null(raw);
        assert_int_equal(json_object_size(tree), 1);
        assert_null(strpbrk(raw, "+/="));
        buf_init(&out, KIB);
        assert_int_equal(encode_base64_decode(&out, raw, strlen(raw), NULL), 0);
        assert_int_equal(out.len, n);
        assert_memory_equal(out.data, bytes, n);
        buf_free(&out);
        json_decref(tree);
        blob_unref(body);
        blob_unref(message);
    }
}

static void test_json_bodies(void **state) {
    static const struct {
        const char *thread_id;
        bool draft;
        const char *json;
    } cases[] = {
        {NULL, false, "{\"raw\":\"SGkh\"}"},
        {"t-1", false, "{\"threadId\":\"t-1\",\"raw\":\"SGkh\"}"},
        {NULL, true, "{\"message\":{\"raw\":\"SGkh\"}}"},
        {"t\"1", true, "{\"message\":{\"threadId\":\"t\\\"1\",\"raw\":\"SGkh\"}}"},
    };
    struct blob *message = blob_copy("Hi!", 3), *body;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        body = gmail_json_body(message, cases[i].thread_id, cases[i].draft);
        assert_int_equal(body->len, strlen(cases[i].json));
        assert_memory_equal(body->data, cases[i].json, body->len);
        blob_unref(body);
    }
    blob_unref(message);
    body = gmail_id_body("r-\"1");
    assert_int_equal(body->len, strlen("{\"id\":\"r-\\\"1\"}"));
    assert_memory_equal(body->data, "{\"id\":\"r-\\\"1\"}", body->len);
    blob_unref(body);
}

static void test_largest_json_body(void **state) {
    struct blob *message = blob_own(calloc(1, GMAIL_JSON_MAX), GMAIL_JSON_MAX);
    struct blob *body = gmail_json_body(message, "thread", true);

    (void)state;
    assert_non_null(body);
    assert_true(body->len < 5000000);
    blob_unref(body);
    blob_unref(message);
}

static void test_related_body(void **state) {
    char type[GMAIL_TYPE_SIZE], other[GMAIL_TYPE_SIZE], expected[1024];
    static const char metadata[] = "\r\n\r\n{\"threadId\":\"t-1\"}\r\n--";
    static const char bytes[] = "Subject: a\r\n\r\n\0\xff--\r\n";
    struct blob *message = blob_copy(bytes, sizeof(bytes) - 1);
    struct blob *body = gmail_related_body(message, "t-1", true, type);
    const char *boundary = type + strlen("multipart/related; boundary=");
    int n;

    (void)state;
    assert_memory_equal(type, "multipart/related; boundary=", boundary - type);
    assert_int_equal(strlen(boundary), 36);
    n = snprintf(expected, sizeof(expected),
                 "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
                 "{\"message\":{\"threadId\":\"t-1\"}}\r\n--%s\r\n"
                 "Content-Type: message/rfc822\r\n\r\n",
                 boundary, boundary);
    assert_memory_equal(body->data, expected, n);
    assert_memory_equal(body->data + n, bytes, sizeof(bytes) - 1);
    n += (int)sizeof(bytes) - 1;
    snprintf(expected, sizeof(expected), "\r\n--%s--\r\n", boundary);
    assert_int_equal(body->len, (size_t)n + strlen(expected));
    assert_memory_equal(body->data + n, expected, strlen(expected));
    blob_unref(body);

    body = gmail_related_body(message, "t-1", false, other);
    assert_string_not_equal(other, type);
    assert_non_null(memmem(body->data, body->len, metadata, strlen(metadata)));
    blob_unref(body);
    blob_unref(message);
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_read_text(void **state) {
    static const struct {
        const char *json, *text; /* NULL: refused */
    } cases[] = {
        {"{\"id\":\"abcd\"}", "abcd"},
        {"{\"id\":\"abcde\"}", NULL},
        {"{\"id\":\"\"}", NULL},
        {"{\"id\":7}", NULL},
        {"{\"id\":null}", NULL},
        {"{}", NULL},
        {"[]", NULL},
        {"{\"id\":\"a\\u0000b\"}", NULL},
    };
    char text[5] = "?";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *tree = parse(cases[i].json);

        assert_int_equal(gmail_read_text(text, sizeof(text), tree, "id"), cases[i].text != NULL);
        assert_string_equal(text, cases[i].text != NULL ? cases[i].text : "");
        json_decref(tree);
    }
    assert_false(gmail_read_text(text, sizeof(text), NULL, "id"));
}

static json_t *message_with(const char *message_id, const char *references) {
    return json_pack("{s:{s:[{s:s,s:s},{s:s,s:s}]}}", "payload", "headers", "name", "Message-Id",
                     "value", message_id, "name", "REFERENCES", "value", references);
}

static void test_headers(void **state) {
    static const char *const without[] = {"{}", "{\"payload\":{}}", "{\"payload\":{\"headers\":7}}",
                                          "{\"payload\":{\"headers\":[7,{\"name\":7}]}}",
                                          "{\"payload\":{\"headers\":[{\"name\":\"Subject\"}]}}"};
    json_t *tree = message_with("<1@x>", "");

    (void)state;
    assert_string_equal(gmail_header(tree, "message-ID"), "<1@x>");
    assert_null(gmail_header(tree, "Message"));
    json_decref(tree);
    for (size_t i = 0; i < COUNT_OF(without); i++) {
        tree = parse(without[i]);
        assert_null(gmail_header(tree, "Subject"));
        assert_null(gmail_message_id(tree));
        json_decref(tree);
    }
    tree = parse("{\"labelIds\":[\"SENT\",7,\"INBOX\"]}");
    assert_true(gmail_has_label(tree, "INBOX"));
    assert_false(gmail_has_label(tree, "DRAFT"));
    json_decref(tree);
}

static void test_references(void **state) {
    static const struct {
        const char *message_id, *references, *id, *all;
    } cases[] = {
        {"<2@x>", "", "2@x", "<2@x>"},
        {"<2@x>", "<0@x> <1@x>", "2@x", "<0@x> <1@x> <2@x>"},
        {" <2@x> (comment)", "<0@x>\r\n\t<1@x>,<1b@x>", "2@x", "<0@x> <1@x> <1b@x> <2@x>"},
        {"<2@x>", "0@x <1> <a b@x> <<1@x> <> <3@x", "2@x", "<1@x> <2@x>"},
        {"<2@x>", "<1@x>\xc3\xa9 <\xc3\xa9@x>", "2@x", "<1@x> <2@x>"},
        {"2@x", "<1@x>", NULL, NULL},
        {"<2>", "<1@x>", NULL, NULL},
        {"<2@x\r\nBcc: eve@x>", "<1@x>", NULL, NULL},
        {"", "", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *tree = message_with(cases[i].message_id, cases[i].references);
        char *id = gmail_message_id(tree), *all = id != NULL ? gmail_references(tree, id) : NULL;

        assert_int_equal(id == NULL, cases[i].id == NULL);
        if (id != NULL) {
            assert_string_equal(id, cases[i].id);
            assert_string_equal(all, cases[i].all);
        }
        free(id);
        free(all);
        json_decref(tree);
    }
}

/* Where the message has no References of its own. */
static void test_references_by_in_reply_to(void **state) {
    static const struct {
        const char *references, *in_reply_to, *all;
    } cases[] = {
        {NULL, "<1@x>", "<1@x> <2@x>"},    {NULL, "<1@x> (Ann's)", "<1@x> <2@x>"},
        {NULL, "<0@x> <1@x>", "<2@x>"},    {NULL, "your mail", "<2@x>"},
        {"", "<1@x>", "<1@x> <2@x>"},      {"<0@x>", "<1@x>", "<0@x> <2@x>"},
        {"<0@x>", "<0@x>", "<0@x> <2@x>"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *tree =
            message_with("<2@x>", cases[i].references != NULL ? cases[i].references : "");
        json_t *headers = json_object_get(json_object_get(tree, "payload"), "headers");
        char *all;

        if (cases[i].references == NULL)
            json_array_remove(headers, 1);
        json_array_append_new(
            headers, json_pack("{s:s,s:s}", "name", "In-Reply-To", "value", cases[i].in_reply_to));
        all = gmail_references(tree, "2@x");
        assert_string_equal(all, cases[i].all);
        free(all);
        json_decref(tree);
    }
}

/* The thread's beginning and its end stay. */
static void test_many_references(void **state) {
    char header[8 * KIB] = "", *all;
    size_t n = 0, count = 0;
    json_t *tree;

    (void)state;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf(header + n, sizeof(header) - n, "<%d@x> ", i);
    tree = message_with("<100@x>", header);
    all = gmail_references(tree, "100@x");
    for (const char *s = all; (s = strchr(s, '<')) != NULL; s++)
        count++;
    assert_int_equal(count, GMAIL_REFERENCES_MAX);
    assert_memory_equal(all, "<0@x> <62@x> <63@x>", 19);
    assert_non_null(strstr(all, "<98@x> <99@x> <100@x>"));
    free(all);
    json_decref(tree);
}

static void test_signature(void **state) {
    static const struct {
        const char *html, *clean;
    } cases[] = {
        {"", ""},
        {" \r\n", ""},
        {"<b>Zoë</b>", "<b>Zoë</b>"},
        {"<img src=a><p>x", "<img alt=\"\" src=a><p>x"},
        {"<IMG SRC=a/><img>", "<IMG alt=\"\" SRC=a/><img alt=\"\">"},
        {"<img alt='Logo' src=a><img ALT src=b>", "<img alt='Logo' src=a><img ALT src=b>"},
        {"<img title=\"alt=x\">", "<img alt=\"\" title=\"alt=x\">"},
        {"<!-- <img> --><imgx><script>'<img>'</script>",
         "<!-- <img> --><imgx><script>'<img>'</script>"},
        {"a<img", "a<img"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *clean = gmail_signature(cases[i].html, strlen(cases[i].html));

        assert_string_equal(clean, cases[i].clean);
        free(clean);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_want_of_a_scope),
        cmocka_unit_test(test_json_body),
        cmocka_unit_test(test_json_bodies),
        cmocka_unit_test(test_largest_json_body),
        cmocka_unit_test(test_related_body),
        cmocka_unit_test(test_read_text),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_references_by_in_reply_to),
        cmocka_unit_test(test_many_references),
        cmocka_unit_test(test_signature),
    };

    return cmocka_run_group_tests_name("gmail_text", tests, NULL, NULL);
}
