/* Firestore without a network: typed values, paths, names; bodies, answers, tokens; slices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "firestore_parts.h"
#include "firestore_value.h"
#include "firestore_wire.h"

static json_t *parse(const char *text) {
    json_t *tree = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

    if (tree == NULL)
        fail_msg("not JSON: %s", text);
    return tree;
}

/* Takes the tree. */
static void assert_json(json_t *tree, const char *want) {
    char *text;

    assert_non_null(tree);
    text = json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    assert_string_equal(text, want);
    free(text);
    json_decref(tree);
}

/* --- values ---------------------------------------------------------------------------------- */

/* NULL and *e: Firestore cannot hold it. */
static json_t *encode(const json_t *plain, struct err *e) {
    json_t *typed = NULL;
    struct buf text;

    buf_init(&text, MIB);
    buf_addc(&text, '{');
    if (firestore_value_add_members(&text, plain, e) == 0) {
        buf_addc(&text, '}');
        assert_false(buf_failed(&text));
        typed = parse(text.data);
    }
    buf_free(&text);
    return typed;
}

static void test_encode_and_back(void **state) {
    static const struct {
        const char *plain, *typed;
        const char *back; /* NULL: as it was */
    } cases[] = {
        {"{}", "{}", NULL},
        {"{\"a\":null}", "{\"a\":{\"nullValue\":null}}", NULL},
        {"{\"a\":false,\"b\":true}",
         "{\"a\":{\"booleanValue\":false},\"b\":{\"booleanValue\":true}}", NULL},
        {"{\"a\":9223372036854775807}", "{\"a\":{\"integerValue\":\"9223372036854775807\"}}", NULL},
        {"{\"a\":-9223372036854775808}", "{\"a\":{\"integerValue\":\"-9223372036854775808\"}}",
         NULL},
        {"{\"a\":42.0}", "{\"a\":{\"doubleValue\":42.0}}", NULL},
        {"{\"a\":0.10000000000000001}", "{\"a\":{\"doubleValue\":0.10000000000000001}}", NULL},
        {"{\"a\":\"x\\u0000y\"}", "{\"a\":{\"stringValue\":\"x\\u0000y\"}}", NULL},
        {"{\"a\":[],\"b\":{}}",
         "{\"a\":{\"arrayValue\":{\"values\":[]}},\"b\":{\"mapValue\":{\"fields\":{}}}}", NULL},
        {"{\"a\":[1,{\"b\":[2]}]}",
         "{\"a\":{\"arrayValue\":{\"values\":[{\"integerValue\":\"1\"},{\"mapValue\":{\"fields\":"
         "{\"b\":{\"arrayValue\":{\"values\":[{\"integerValue\":\"2\"}]}}}}}]}}}",
         NULL},
        {"{\"sent_at\":\"2026-03-01T09:30:00Z\"}",
         "{\"sent_at\":{\"timestampValue\":\"2026-03-01T09:30:00.000000Z\"}}",
         "{\"sent_at\":\"2026-03-01T09:30:00.000000Z\"}"},
        {"{\"sending_since\":\"2026-03-01T09:30:00.1234567z\"}",
         "{\"sending_since\":{\"timestampValue\":\"2026-03-01T09:30:00.123456Z\"}}",
         "{\"sending_since\":\"2026-03-01T09:30:00.123456Z\"}"},
        {"{\"sent_at\":\"2026-03-01T09:30:00+00:00\"}",
         "{\"sent_at\":{\"timestampValue\":\"2026-03-01T09:30:00.000000Z\"}}",
         "{\"sent_at\":\"2026-03-01T09:30:00.000000Z\"}"},
        {"{\"sent_at\":\"0001-01-01T00:00:00Z\"}",
         "{\"sent_at\":{\"timestampValue\":\"0001-01-01T00:00:00.000000Z\"}}",
         "{\"sent_at\":\"0001-01-01T00:00:00.000000Z\"}"},
        {"{\"sent_at\":\"0000-12-31T23:59:59Z\"}",
         "{\"sent_at\":{\"stringValue\":\"0000-12-31T23:59:59Z\"}}", NULL},
        {"{\"sent_at\":\"2026-03-01T09:30:00+02:00\"}",
         "{\"sent_at\":{\"stringValue\":\"2026-03-01T09:30:00+02:00\"}}", NULL},
        {"{\"sent_at\":\"soonZ\"}", "{\"sent_at\":{\"stringValue\":\"soonZ\"}}", NULL},
        {"{\"sent_at\":\"2026-03-01T09:30:00Z\\u0000Z\"}",
         "{\"sent_at\":{\"stringValue\":\"2026-03-01T09:30:00Z\\u0000Z\"}}", NULL},
        {"{\"sent_at\":null}", "{\"sent_at\":{\"nullValue\":null}}", NULL},
        {"{\"sent\":\"2026-03-01T09:30:00Z\"}",
         "{\"sent\":{\"stringValue\":\"2026-03-01T09:30:00Z\"}}", NULL},
        {"{\"m\":{\"sent_at\":\"2026-03-01T09:30:00Z\"}}",
         "{\"m\":{\"mapValue\":{\"fields\":{\"sent_at\":{\"stringValue\":"
         "\"2026-03-01T09:30:00Z\"}}}}}",
         NULL},
        {"{\"a.b `\\\\\":1,\"__a\":2,\"___\":3}",
         "{\"___\":{\"integerValue\":\"3\"},\"__a\":{\"integerValue\":\"2\"},"
         "\"a.b `\\\\\":{\"integerValue\":\"1\"}}",
         "{\"___\":3,\"__a\":2,\"a.b `\\\\\":1}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *plain = parse(cases[i].plain);
        struct err e = {0};
        json_t *typed = encode(plain, &e);

        assert_string_equal(e.message, "");
        assert_json(firestore_value_decode(typed, &e),
                    cases[i].back != NULL ? cases[i].back : cases[i].plain);
        assert_json(typed, cases[i].typed);
        json_decref(plain);
    }
}

#define A(x) "{\"arrayValue\":{\"values\":[" x "]}}"
#define M(x) "{\"mapValue\":{\"fields\":{" x "}}}"

static void test_arrays_in_arrays(void **state) {
    static const struct {
        const char *plain, *typed;
    } cases[] = {
        {"[[1]]", A(M("\"[]\":" A("{\"integerValue\":\"1\"}")))},
        {"[[],[[]]]", A(M("\"[]\":" A("")) "," M("\"[]\":" A(M("\"[]\":" A("")))))},
        {"[{\"a\":[[]]}]", A(M("\"a\":" A(M("\"[]\":" A("")))))},
        /* what only looks like one */
        {"[{\"[]\":[]}]", A(M("\"[]]\":" A("")))},
        {"[{\"[]]]\":[]}]", A(M("\"[]]]]\":" A("")))},
        {"[{\"[]\":null}]", A(M("\"[]]\":{\"nullValue\":null}"))},
        {"[{\"[]\":[],\"a\":[]}]", A(M("\"[]\":" A("") ",\"a\":" A("")))},
        {"[{\"[\":[]}]", A(M("\"[\":" A("")))},
        {"[{\"[]a\":[]}]", A(M("\"[]a\":" A("")))},
        {"{\"[]\":[]}", M("\"[]\":" A(""))},
    };
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *plain = json_pack("{s:o}", "a", parse(cases[i].plain));
        json_t *typed = encode(plain, &e);
        json_t *back = firestore_value_decode(typed, &e);

        assert_json(json_incref(json_object_get(typed, "a")), cases[i].typed);
        assert_json(json_incref(json_object_get(back, "a")), cases[i].plain);
        json_decref(back);
        json_decref(typed);
        json_decref(plain);
    }
}

/* {"m":{"m":…1…}}, so many levels deep. */
static json_t *nested(unsigned levels) {
    json_t *tree = json_integer(1);

    while (levels-- > 0)
        tree = json_pack("{s:o}", "m", tree);
    return tree;
}

static void test_what_firestore_cannot_hold(void **state) {
    static const struct {
        const char *plain, *field;
    } cases[] = {
        {"{\"metadata\":{\"a\":[[{\"__a__\":1}]]}}", "metadata.a[0][0].__a__"},
        {"{\"a\":[{\"[]\":{\"__a__\":1}}]}", "a[0].[].__a__"},
        {"{\"__a__\":1}", "__a__"},
        {"{\"____\":1}", "____"},
        {"{\"m\":{\"__a__\":1}}", "m.__a__"},
    };
    char longest[FIRESTORE_VALUE_NAME_MAX + 2];
    struct err e = {0};
    json_t *plain;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        plain = parse(cases[i].plain);
        assert_null(encode(plain, &e));
        assert_int_equal(e.code, ERR_INVALID_FIELD);
        assert_string_equal(e.field, cases[i].field);
        json_decref(plain);
    }
    plain = parse("{\"m\":{\"\":1}}");
    assert_null(encode(plain, &e));
    assert_int_equal(e.code, ERR_INVALID_FIELD);
    json_decref(plain);

    memset(longest, 'x', sizeof(longest));
    for (size_t n = FIRESTORE_VALUE_NAME_MAX; n <= FIRESTORE_VALUE_NAME_MAX + 1; n++) {
        json_t *typed;

        longest[n] = '\0';
        plain = json_pack("{s:n}", longest);
        typed = encode(plain, &e);
        assert_int_equal(typed != NULL, n == FIRESTORE_VALUE_NAME_MAX);
        json_decref(typed);
        json_decref(plain);
        longest[n] = 'x';
    }
}

static void test_depth(void **state) {
    struct err e = {0};

    (void)state;
    for (unsigned levels = 20; levels <= 22; levels++) { /* the document itself is the first */
        json_t *plain = nested(levels), *typed = encode(plain, &e);

        assert_int_equal(typed != NULL, levels <= 21);
        json_decref(typed);
        json_decref(plain);
    }
    assert_int_equal(e.code, ERR_INVALID_FIELD);
    assert_non_null(strstr(e.message, "20 levels"));
}

static void test_decode_alone(void **state) {
    static const struct {
        const char *typed, *plain; /* plain NULL: it is none */
    } cases[] = {
        {"{\"integerValue\":7}", "7"},
        {"{\"nullValue\":\"NULL_VALUE\"}", "null"},
        {"{\"doubleValue\":3}", "3.0"},
        {"{\"doubleValue\":\"NaN\"}", "\"NaN\""},
        {"{\"doubleValue\":\"Infinity\"}", "\"Infinity\""},
        {"{\"doubleValue\":\"-Infinity\"}", "\"-Infinity\""},
        {"{\"bytesValue\":\"AAE=\"}", "\"AAE=\""},
        {"{\"referenceValue\":\"projects/p/databases/d/documents/c/a\"}",
         "\"projects/p/databases/d/documents/c/a\""},
        {"{\"geoPointValue\":{\"latitude\":48.5}}", "{\"latitude\":48.5,\"longitude\":0.0}"},
        {"{\"geoPointValue\":{}}", "{\"latitude\":0.0,\"longitude\":0.0}"},
        {"{\"arrayValue\":{}}", "[]"},
        {"{\"mapValue\":{}}", "{}"},
        {"{\"timestampValue\":\"2026-03-01T09:30:00Z\"}", "\"2026-03-01T09:30:00.000000Z\""},
        {"{\"timestampValue\":\"2026-03-01T09:30:00.123456789Z\"}",
         "\"2026-03-01T09:30:00.123456Z\""},
        {"{\"timestampValue\":\"2026-03-01T10:30:00+01:00\"}", "\"2026-03-01T09:30:00.000000Z\""},
        {"{}", NULL},
        {"[]", NULL},
        {"\"x\"", NULL},
        {"{\"stringValue\":\"a\",\"integerValue\":\"1\"}", NULL},
        {"{\"stringValue\":1}", NULL},
        {"{\"integerValue\":\"\"}", NULL},
        {"{\"integerValue\":\"1x\"}", NULL},
        {"{\"integerValue\":\"9223372036854775808\"}", NULL},
        {"{\"integerValue\":1.5}", NULL},
        {"{\"doubleValue\":\"1\"}", NULL},
        {"{\"booleanValue\":\"true\"}", NULL},
        {"{\"timestampValue\":\"now\"}", NULL},
        {"{\"timestampValue\":\"0000-01-01T00:00:00Z\"}", NULL},
        {"{\"timestampValue\":1}", NULL},
        {"{\"geoPointValue\":{\"latitude\":\"x\"}}", NULL},
        {"{\"geoPointValue\":[]}", NULL},
        {"{\"arrayValue\":[]}", NULL},
        {"{\"arrayValue\":{\"values\":{}}}", NULL},
        {"{\"arrayValue\":{\"values\":[{}]}}", NULL},
        {"{\"mapValue\":{\"fields\":[]}}", NULL},
        {"{\"mapValue\":{\"fields\":{\"a\":1}}}", NULL},
        {"{\"pipelineValue\":{}}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *typed = parse(cases[i].typed);
        struct err e = {0};
        json_t *plain = firestore_value_decode_one(typed, &e);

        if (cases[i].plain != NULL)
            assert_json(plain, cases[i].plain);
        else
            assert_null(plain);
        assert_int_equal(e.code, cases[i].plain == NULL ? ERR_FIRESTORE_ERROR : ERR_NONE);
        json_decref(typed);
    }
    assert_json(firestore_value_decode(NULL, NULL), "{}");
}

/* --- paths and names ------------------------------------------------------------------------- */

static void test_paths(void **state) {
    static const struct {
        const char *name, *path;
    } cases[] = {
        {"a", "a"},
        {"open_count", "open_count"},
        {"_A9", "_A9"},
        {"9a", "`9a`"},
        {"", "``"},
        {"a.b", "`a.b`"},
        {"x&y", "`x&y`"},
        {"a`b\\c", "`a\\`b\\\\c`"},
        {"Zo\xc3\xab", "`Zo\xc3\xab`"},
        {"bob@example.com", "`bob@example.com`"},
    };
    struct buf path;

    (void)state;
    buf_init(&path, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buf_reset(&path);
        firestore_value_add_path(&path, cases[i].name);
        assert_string_equal(path.data, cases[i].path);
    }
    buf_free(&path);
}

static void test_ids_and_addresses(void **state) {
    static const struct {
        const char *id;
        bool good;
    } ids[] = {
        {"a", true},
        {"...", true},
        {"__a", true},
        {"a__", true},
        {"___", true},
        {" ", true},
        {"\xf0\x9f\x92\x8c", true},
        {"", false},
        {".", false},
        {"..", false},
        {"a/b", false},
        {"__a__", false},
        {"____", false},
        {"\xff", false},
    };
    struct buf url;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++)
        assert_int_equal(firestore_value_is_id(ids[i].id), ids[i].good);
    buf_init(&url, 200);
    firestore_value_add_url(&url, "http://h:1", "projects/p/databases/(default)/documents/c/a b%:?",
                            ":runQuery");
    assert_string_equal(url.data, "http://h:1/v1/projects/p/databases/%28default%29/documents/c/"
                                  "a%20b%25%3A%3F:runQuery");
    buf_free(&url);
}

/* --- requests -------------------------------------------------------------------------------- */

static void test_writes(void **state) {
    static const char fields[] = "\"a\":{\"nullValue\":null}";
    struct buf body;
    struct blob *blob;
    json_t *tree;

    (void)state;
    firestore_wire_begin(&body);
    firestore_wire_create(&body, "n\"", fields);
    firestore_wire_put(&body, "n", "");
    firestore_wire_update(&body, "n", fields, "\"a\",\"b\"", "T", NULL);
    firestore_wire_update(&body, "n", fields, "", NULL, "{}");
    firestore_wire_delete(&body, "n", NULL);
    firestore_wire_delete(&body, "n", "T");
    firestore_wire_touch(&body, "n");
    blob = firestore_wire_end(&body);
    assert_non_null(blob);
    tree = parse(blob->data);
    assert_json(
        json_incref(json_object_get(tree, "writes")),
        "[{\"currentDocument\":{\"exists\":false},\"update\":{\"fields\":{\"a\":"
        "{\"nullValue\":null}},\"name\":\"n\\\"\"}},"
        "{\"update\":{\"fields\":{},\"name\":\"n\"}},"
        "{\"currentDocument\":{\"updateTime\":\"T\"},\"update\":{\"fields\":{\"a\":"
        "{\"nullValue\":null}},\"name\":\"n\"},\"updateMask\":{\"fieldPaths\":[\"a\",\"b\"]}},"
        "{\"currentDocument\":{\"exists\":true},\"update\":{\"fields\":{\"a\":"
        "{\"nullValue\":null}},\"name\":\"n\"},\"updateMask\":{\"fieldPaths\":[]},"
        "\"updateTransforms\":[{}]},"
        "{\"delete\":\"n\"},"
        "{\"currentDocument\":{\"updateTime\":\"T\"},\"delete\":\"n\"},"
        "{\"currentDocument\":{\"exists\":true},\"update\":{\"name\":\"n\"},"
        "\"updateMask\":{\"fieldPaths\":[\"_paraph\"]}}]");
    json_decref(tree);
    blob_unref(blob);
}

static void test_masks_and_transforms(void **state) {
    json_t *list = parse("[1,[2]]");
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, KIB);
    firestore_wire_mask_add(&b, "a", NULL);
    firestore_wire_mask_add(&b, "b c", "d");
    firestore_wire_mask_add(&b, "\"", NULL);
    assert_string_equal(b.data, "\"a\",\"`b c`.d\",\"`\\\"`\"");
    buf_reset(&b);
    firestore_wire_add_one(&b, "open_count");
    firestore_wire_add_one(&b, "b c");
    assert_string_equal(b.data,
                        "{\"fieldPath\":\"open_count\",\"increment\":{\"integerValue\":\"1\"}},"
                        "{\"fieldPath\":\"`b c`\",\"increment\":{\"integerValue\":\"1\"}}");
    buf_reset(&b);
    assert_int_equal(firestore_wire_append(&b, "a", json_array_get(list, 0), &e), 0);
    assert_int_equal(firestore_wire_append(&b, "b", json_array_get(list, 1), &e), 0);
    assert_string_equal(b.data, "{\"fieldPath\":\"a\",\"appendMissingElements\":{\"values\":"
                                "[{\"integerValue\":\"1\"}]}},"
                                "{\"fieldPath\":\"b\",\"appendMissingElements\":{\"values\":"
                                "[" M("\"[]\":" A("{\"integerValue\":\"2\"}")) "]}}");
    assert_int_equal(firestore_wire_append(&b, "__a__", json_array_get(list, 0), &e), -1);
    assert_string_equal(e.field, "__a__");
    buf_free(&b);
    json_decref(list);
}

static void test_reads(void **state) {
    json_t *names = parse("[\"n\"]"), *cursor = parse("{\"values\":[]}");

    (void)state;
    assert_json(firestore_wire_get(names, NULL), "{\"documents\":[\"n\"]}");
    assert_json(firestore_wire_get(names, "a b"),
                "{\"documents\":[\"n\"],\"mask\":{\"fieldPaths\":[\"`a b`\"]}}");
    assert_json(
        firestore_wire_newest("c", NULL, NULL, NULL, 7),
        "{\"structuredQuery\":{\"from\":[{\"collectionId\":\"c\"}],\"limit\":7,\"orderBy\":["
        "{\"direction\":\"DESCENDING\",\"field\":{\"fieldPath\":\"created_at\"}},"
        "{\"direction\":\"DESCENDING\",\"field\":{\"fieldPath\":\"__name__\"}}]}}");
    assert_json(
        firestore_wire_newest("c", "status", "pending", cursor, 1),
        "{\"structuredQuery\":{\"from\":[{\"collectionId\":\"c\"}],\"limit\":1,\"orderBy\":["
        "{\"direction\":\"DESCENDING\",\"field\":{\"fieldPath\":\"created_at\"}},"
        "{\"direction\":\"DESCENDING\",\"field\":{\"fieldPath\":\"__name__\"}}],"
        "\"startAt\":{\"values\":[]},\"where\":{\"fieldFilter\":{\"field\":{\"fieldPath\":"
        "\"status\"},\"op\":\"EQUAL\",\"value\":{\"stringValue\":\"pending\"}}}}}");
    assert_json(
        firestore_wire_how_many("c", NULL, NULL, 1001),
        "{\"structuredAggregationQuery\":{\"aggregations\":[{\"alias\":\"found\",\"count\":"
        "{\"upTo\":\"1001\"}}],\"structuredQuery\":{\"from\":[{\"collectionId\":\"c\"}]}}}");
    assert_json(
        firestore_wire_how_many("c", "waiting", "held", 1),
        "{\"structuredAggregationQuery\":{\"aggregations\":[{\"alias\":\"found\",\"count\":"
        "{\"upTo\":\"1\"}}],\"structuredQuery\":{\"from\":[{\"collectionId\":\"c\"}],\"where\":"
        "{\"fieldFilter\":{\"field\":{\"fieldPath\":\"waiting\"},\"op\":\"EQUAL\",\"value\":"
        "{\"stringValue\":\"held\"}}}}}}");
    assert_json(firestore_wire_below("parts"),
                "{\"structuredQuery\":{\"from\":[{\"collectionId\":\"parts\"}],\"limit\":300,"
                "\"select\":{\"fields\":[{\"fieldPath\":\"__name__\"}]}}}");
    assert_json(firestore_wire_below(NULL),
                "{\"structuredQuery\":{\"from\":[{\"allDescendants\":true}],\"limit\":300,"
                "\"select\":{\"fields\":[{\"fieldPath\":\"__name__\"}]}}}");
    json_decref(cursor);
    json_decref(names);
}

/* --- answers --------------------------------------------------------------------------------- */

static void test_find(void **state) {
    static const char both[] = "[{\"missing\":\"b\"},{\"found\":{\"name\":\"a\"}},{}]";
    static const struct {
        const char *answer, *name;
        int rc;
    } cases[] = {
        {both, "a", 1},
        {both, "b", 0},
        {both, "c", -1},
        {"[]", "a", -1},
        {"{}", "a", -1},
        {"null", "a", -1},
        {"[1,null]", "a", -1},
        {"[{\"found\":{}}]", "a", -1},
        {"[{\"found\":7},{\"missing\":7}]", "a", -1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *answer = parse(cases[i].answer);
        const json_t *document = NULL;
        struct err e = {0};

        assert_int_equal(firestore_wire_find(answer, cases[i].name, &document, &e), cases[i].rc);
        assert_int_equal(document != NULL, cases[i].rc > 0);
        assert_int_equal(e.code, cases[i].rc < 0 ? ERR_FIRESTORE_ERROR : ERR_NONE);
        json_decref(answer);
    }
}

static void test_rows(void **state) {
    json_t *answer = parse("[{\"readTime\":\"x\"},{\"document\":{\"name\":\"a\"}},"
                           "{\"document\":{\"name\":\"b\"},\"done\":true},7]");
    const json_t *document;
    struct err e = {0};
    size_t at = 0;

    (void)state;
    assert_int_equal(firestore_wire_next(answer, &at, &document, &e), 1);
    assert_string_equal(firestore_wire_name(document), "a");
    assert_int_equal(firestore_wire_next(answer, &at, &document, &e), 1);
    assert_string_equal(firestore_wire_name(document), "b");
    assert_int_equal(firestore_wire_next(answer, &at, &document, &e), 0);
    json_decref(answer);
    at = 0;
    assert_int_equal(firestore_wire_next(NULL, &at, &document, &e), -1);
    assert_int_equal(e.code, ERR_FIRESTORE_ERROR);
}

static void test_read_document(void **state) {
    static const struct {
        const char *document, *fields, *own; /* fields NULL: it is none */
    } cases[] = {
        {"{\"updateTime\":\"T\"}", "{}", NULL},
        {"{\"updateTime\":\"T\",\"fields\":{\"to\":{\"stringValue\":\"x\"}}}", "{\"to\":\"x\"}",
         NULL},
        {"{\"updateTime\":\"T\",\"fields\":{\"_paraph\":{\"mapValue\":{\"fields\":{\"write\":"
         "{\"stringValue\":\"w\"}}}}}}",
         "{}", "{\"write\":\"w\"}"},
        {"{}", NULL, NULL},
        {"{\"updateTime\":\"2026-01-01T00:00:00.000000000000000000000Z\"}", NULL, NULL},
        {"{\"updateTime\":\"T\",\"fields\":[]}", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *document = parse(cases[i].document), *fields = NULL, *own = NULL;
        char version[STORE_VERSION_SIZE];
        struct err e = {0};
        int rc = firestore_wire_read(document, version, &fields, &own, &e);

        assert_int_equal(rc, cases[i].fields == NULL ? -1 : 0);
        if (rc == 0) {
            assert_string_equal(version, "T");
            assert_json(fields, cases[i].fields);
        }
        if (cases[i].own != NULL)
            assert_json(own, cases[i].own);
        else
            assert_null(own);
        json_decref(document);
    }
}

static void test_refusals(void **state) {
    static const struct {
        const char *answer;
        bool refusal;
    } cases[] = {
        {"{\"error\":{\"code\":409,\"status\":\"ALREADY_EXISTS\"}}", true},
        {"[{\"error\":{\"code\":400,\"status\":\"FAILED_PRECONDITION\"}}]", true},
        {"{\"error\":{\"status\":\"NOT_FOUND\"}}", true},
        {"{\"error\":{\"status\":\"ABORTED\"}}", false},
        {"{\"error\":{\"status\":\"INVALID_ARGUMENT\"}}", false},
        {"{\"error\":{\"status\":7}}", false},
        {"{\"error\":\"NOT_FOUND\"}", false},
        {"[]", false},
        {"null", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *answer = parse(cases[i].answer);

        assert_int_equal(firestore_wire_is_refusal(answer), cases[i].refusal);
        json_decref(answer);
    }
    assert_false(firestore_wire_is_refusal(NULL));
}

static void test_number(void **state) {
#define COUNTED(value) "[{\"result\":{\"aggregateFields\":{\"found\":" value "}}}]"
    static const struct {
        const char *answer;
        int rc;
        unsigned n;
    } cases[] = {
        {COUNTED("{\"integerValue\":\"0\"}"), 0, 0},
        {COUNTED("{\"integerValue\":\"1001\"}"), 0, 1001},
        {COUNTED("{\"integerValue\":\"4294967295\"}"), 0, UINT32_MAX},
        {COUNTED("{\"integerValue\":\"4294967296\"}"), -1, 0},
        {COUNTED("{\"integerValue\":\"99999999999999999999999\"}"), -1, 0},
        {COUNTED("{\"integerValue\":\"-1\"}"), -1, 0},
        {COUNTED("{\"integerValue\":\" 1\"}"), -1, 0},
        {COUNTED("{\"integerValue\":\"1x\"}"), -1, 0},
        {COUNTED("{\"integerValue\":\"\"}"), -1, 0},
        {COUNTED("{\"integerValue\":1}"), -1, 0},
        {COUNTED("{\"doubleValue\":1}"), -1, 0},
        {COUNTED("null"), -1, 0},
        {"[{\"readTime\":\"T\"}]", -1, 0},
        {"[]", -1, 0},
        {"{}", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *answer = parse(cases[i].answer);
        struct err e = {0};
        unsigned n = 0;

        assert_int_equal(firestore_wire_number(answer, &n, &e), cases[i].rc);
        assert_int_equal(n, cases[i].n);
        assert_int_equal(e.code, cases[i].rc == 0 ? ERR_NONE : ERR_FIRESTORE_ERROR);
        json_decref(answer);
    }
}

static void test_missing_index(void **state) {
    static const char link[] =
        "https://console.firebase.google.com/v1/r/project/p/firestore/indexes?create_composite=Cl";
    char message[1200];
    json_t *answer;
    struct err e = {0};

    (void)state;
    snprintf(message, sizeof(message), "The query requires an index. You can create it here: %s",
             link);
    answer = json_pack("[{s:{s:s}}]", "error", "message", message);
    assert_true(firestore_wire_index_err(answer, "email_drafts", "status", &e));
    assert_int_equal(e.code, ERR_FIRESTORE_ERROR);
    assert_non_null(strstr(e.message, "email_drafts on status and created_at"));
    assert_non_null(strstr(e.message, link));
    json_decref(answer);

    memset(message + strlen(message), 'x', 600); /* a link that cannot be told whole */
    message[900] = '\0';
    answer = json_pack("{s:{s:s}}", "error", "message", message);
    assert_true(firestore_wire_index_err(answer, "email_drafts", "status", &e));
    assert_null(strstr(e.message, "https://"));
    assert_non_null(strstr(e.message, "--collection-group=email_drafts"));
    assert_non_null(strstr(e.message, "field-path=created_at,order=descending`"));
    assert_true(firestore_wire_index_err(answer, "email_drafts", "waiting", &e));
    assert_non_null(strstr(e.message, "email_drafts on waiting and created_at"));
    assert_non_null(strstr(e.message, "field-path=waiting,order=ascending"));
    json_decref(answer);

    e = (struct err){0};
    answer = parse("{\"error\":{\"message\":\"no\"}}");
    assert_false(firestore_wire_index_err(answer, "email_drafts", "status", &e));
    assert_false(firestore_wire_index_err(NULL, "email_drafts", "status", &e));
    assert_int_equal(e.code, ERR_NONE);
    json_decref(answer);
}

/* --- page tokens ----------------------------------------------------------------------------- */

static void test_tokens(void **state) {
    static const char prefix[] = "projects/p/databases/d/documents/c/";
    static const char *const places[] = {
        "{\"timestampValue\":\"2026-03-01T09:30:00.123456Z\"}", /* and what is no time */
        "{\"stringValue\":\"Zo\xc3\xab\"}",
        "{\"nullValue\":null}",
        "{\"mapValue\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct err e = {0};
        json_t *document =
            json_pack("{s:s,s:{s:o}}", "name", "projects/p/databases/d/documents/c/a b", "fields",
                      "created_at", parse(places[i]));
        json_t *cursor = firestore_wire_cursor(document, &e);
        char *token = firestore_wire_token(cursor, prefix, &e);
        json_t *back = firestore_wire_token_read(token, prefix, &e);

        assert_string_equal(e.message, "");
        if (i == 0) {
            assert_null(firestore_wire_cursor_lacks(back));
            assert_true(json_equal(cursor, back));
        } else {
            assert_string_equal(firestore_wire_cursor_lacks(back), firestore_wire_name(document));
        }
        assert_false(json_boolean_value(json_object_get(cursor, "before")));
        json_decref(back);
        free(token);
        json_decref(cursor);
        json_decref(document);
    }
}

static void test_tokens_that_are_none(void **state) {
    static const char *const tokens[] = {
        "",         "x", "abcd", "AAAA", "....", "\xff\xff", "AA", /* "\0" */
        "AGEvYg",                                                  /* "\0a/b" */
        "AGEAYg",                                                  /* "\0a\0b" */
        "bm93AGE",                                                 /* "now\0a" */
        "MjAyNgBh",                                                /* "2026\0a" */
    };
    static char huge[40000];

    (void)state;
    memset(huge, 'A', sizeof(huge) - 1);
    for (size_t i = 0; i <= COUNT_OF(tokens); i++) {
        struct err e = {0};

        assert_null(firestore_wire_token_read(i == 0 ? huge : tokens[i - 1], "c/", &e));
        assert_int_equal(e.code, ERR_INVALID_FIELD);
        assert_string_equal(e.field, "page_token");
    }
}

/* --- slices ---------------------------------------------------------------------------------- */

static void test_slices(void **state) {
    static const size_t sizes[] = {0, 1, 900000, 900001, 2700000};
    struct blob *parts[COUNT_OF(sizes)];
    struct firestore_parts p, back;
    struct err e = {0};
    json_t *plain;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *data = malloc(sizes[i] + 1);

        memset(data, (int)('a' + i), sizes[i]);
        parts[i] = blob_own(data, sizes[i]);
    }
    assert_int_equal(firestore_parts_plan(&p, "S", parts, COUNT_OF(sizes), &e), 0);
    assert_int_equal(firestore_parts_slices(&p), 0 + 1 + 1 + 2 + 3);
    assert_json(firestore_parts_names(&p, "d", 2, 3),
                "[\"d/parts/S-3-0\",\"d/parts/S-3-1\",\"d/parts/S-4-0\"]");
    assert_json(firestore_parts_names(&p, "d", 6, 100), "[\"d/parts/S-4-2\"]");
    assert_json(firestore_parts_names(&p, "d", 7, 100), "[]");

    plain = firestore_parts_encode(&p);
    assert_int_equal(firestore_parts_decode(&back, plain, &e), 0);
    assert_memory_equal(&back, &p, sizeof(p));
    json_decref(plain);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        blob_unref(parts[i]);
}

/* What was written, found again in an answer of the other order. */
static void test_slices_there_and_back(void **state) {
    char data[] = "q\"\0\xff bytes";
    struct blob *parts[] = {blob_copy(data, sizeof(data)), blob_copy("", 0), blob_copy("x", 1)};
    struct firestore_parts p;
    struct store_reply r = {0};
    struct err e = {0};
    json_t *body, *answer = json_array(), *writes;
    struct blob *text;
    size_t i;

    (void)state;
    assert_int_equal(firestore_parts_plan(&p, "S", parts, COUNT_OF(parts), &e), 0);
    text = firestore_parts_body(&p, "d\"q", parts, 0);
    body = json_loadb(text->data, text->len, 0, NULL);
    writes = json_object_get(body, "writes");
    assert_int_equal(json_array_size(writes), 2);
    for (i = 0; i < 2; i++)
        json_array_insert_new(
            answer, 0,
            json_pack("{s:O}", "found", json_object_get(json_array_get(writes, i), "update")));
    assert_int_equal(firestore_parts_alloc(&p, &r), 0);
    assert_int_equal(firestore_parts_take(&p, "d\"q", answer, 0, &r, &e), 1);
    assert_int_equal(r.nparts, COUNT_OF(parts));
    for (i = 0; i < COUNT_OF(parts); i++) {
        assert_int_equal(r.parts[i]->len, parts[i]->len);
        assert_memory_equal(r.parts[i]->data, parts[i]->data, parts[i]->len);
        blob_unref(parts[i]);
    }

    json_object_set_new(json_array_get(answer, 0), "missing", json_string("d\"q/parts/S-2-0"));
    json_object_del(json_array_get(answer, 0), "found");
    assert_int_equal(firestore_parts_take(&p, "d\"q", answer, 0, &r, &e), 0);
    p.sizes[2] = 2; /* the slice is shorter than it should be */
    json_array_clear(answer);
    assert_int_equal(firestore_parts_take(&p, "d\"q", answer, 0, &r, &e), -1);
    assert_int_equal(e.code, ERR_FIRESTORE_ERROR);
    store_reply_fini(&r);
    json_decref(answer);
    json_decref(body);
    blob_unref(text);
}

static void test_damaged_lists_of_parts(void **state) {
    static const char *const damaged[] = {
        "{}",
        "[]",
        "7",
        "{\"set\":1,\"sizes\":[]}",
        "{\"set\":\"S\",\"sizes\":[-1]}",
        "{\"set\":\"S\",\"sizes\":[67108865]}",
        "{\"set\":\"S\",\"sizes\":[67108864,1]}",
        "{\"set\":\"S\",\"sizes\":[9223372036854775807,9223372036854775807]}",
        "{\"set\":\"0123456789012345678901234567890123456789\",\"sizes\":[]}",
    };
    struct firestore_parts p;
    struct err e = {0};
    json_t *sizes = json_array(), *plain;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(damaged); i++) {
        plain = parse(damaged[i]);
        assert_int_equal(firestore_parts_decode(&p, plain, &e), -1);
        assert_int_equal(e.code, ERR_FIRESTORE_ERROR);
        json_decref(plain);
    }
    for (size_t i = 0; i <= STORE_PARTS_MAX; i++)
        json_array_append_new(sizes, json_integer(1));
    plain = json_pack("{s:s,s:o}", "set", "S", "sizes", sizes);
    assert_int_equal(firestore_parts_decode(&p, plain, &e), -1);
    json_decref(plain);
    assert_int_equal(firestore_parts_decode(&p, NULL, &e), 0);
    assert_int_equal(firestore_parts_slices(&p), 0);
}

static void test_too_large_parts(void **state) {
    struct blob huge = {.data = "", .len = FIRESTORE_PARTS_BYTES_MAX, .refs = 1};
    struct blob one = {.data = "x", .len = 1, .refs = 1};
    struct blob *parts[] = {&huge, &one};
    struct firestore_parts p;
    struct err e = {0};

    (void)state;
    assert_int_equal(firestore_parts_plan(&p, "S", parts, 1, &e), 0);
    assert_int_equal(firestore_parts_plan(&p, "S", parts, 2, &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(e.field, "parts");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_and_back),
        cmocka_unit_test(test_arrays_in_arrays),
        cmocka_unit_test(test_what_firestore_cannot_hold),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_decode_alone),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_ids_and_addresses),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_masks_and_transforms),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_read_document),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_missing_index),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_tokens_that_are_none),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_slices_there_and_back),
        cmocka_unit_test(test_damaged_lists_of_parts),
        cmocka_unit_test(test_too_large_parts),
    };

    return cmocka_run_group_tests_name("firestore_value", tests, NULL, NULL);
}
