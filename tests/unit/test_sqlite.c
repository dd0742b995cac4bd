/* The embedded store, one operation after another: documents, parts, listings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

/* --- documents ------------------------------------------------------------------------------- */

static void test_create_and_get(void **state) {
    static const char *const documents[] = {
        "{}",
        "{\"a\":null,\"b\":true,\"c\":[],\"d\":{},\"e\":[1,[2,{\"f\":\"\"}]]}",
        "{\"max\":9223372036854775807,\"min\":-9223372036854775808}",
        "{\"long\":100000000000001,\"real\":42.0,\"tenth\":0.10000000000000001,\"third\":0.33333333333333331}",
        "{\"tiny\":4.9406564584124654e-324,\"vast\":1.7976931348623157e308}",
        "{\"nul\":\"a\\u0000b\",\"status\":\"\\u0000\"}",
        "{\"text\":\"\\\"\\\\\\n Zo\xc3\xab \xf0\x9f\x92\x8c \xe2\x80\xa8\"}",
        "{\"';DROP TABLE document;--\":\"'); DELETE FROM document; --\"}",
    };
    char id[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        snprintf(id, sizeof(id), "d%zu", i);
        assert_document(id, NULL);
        assert_created(id, documents[i]);
        assert_document(id, documents[i]);
    }
}

static void test_create_twice(void **state) {
    struct call *c;

    (void)state;
    assert_created("a", "{\"n\":1}");
    c = write_json(STORE_CREATE, "a", NULL, "{\"n\":2}");
    assert_int_equal(c->reply.err.code, ERR_ALREADY_EXISTS);
    assert_document("a", "{\"n\":1}");
}

static void test_collections_are_apart(void **state) {
    struct call c = {.rq = {.verb = STORE_GET, .collection = "opens", .id = "a"}};

    (void)state;
    assert_created("a", "{}");
    assert_int_equal(finish(&c), ERR_NONE);
    assert_false(c.reply.found);
}

static void test_ids(void **state) {
    static char longest[STORE_ID_MAX + 1], longer[STORE_ID_MAX + 2];
    const struct {
        const char *id;
        enum err_code code;
    } cases[] = {
        {"", ERR_INVALID_FIELD},
        {"a/b", ERR_INVALID_FIELD},
        {"\xff", ERR_INVALID_FIELD},
        {longer, ERR_INVALID_FIELD},
        {NULL, ERR_INVALID_FIELD},
        {longest, ERR_NONE},
        {"' OR '1'='1", ERR_NONE},
        {"%", ERR_NONE},
        {"..", ERR_NONE},
        {"\xf0\x9f\x92\x8c", ERR_NONE},
    };

    (void)state;
    memset(longest, 'x', STORE_ID_MAX);
    memset(longer, 'x', STORE_ID_MAX + 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct call *c = get(cases[i].id);

        assert_int_equal(c->reply.err.code, cases[i].code);
        assert_false(c->reply.found);
        if (cases[i].code != ERR_NONE)
            assert_string_equal(c->reply.err.field, "id");
    }
}

static void test_update(void **state) {
    static const char *const gone[] = {"b", "never"};
    struct call c = {.rq = {.verb = STORE_UPDATE,
                            .collection = "drafts",
                            .id = "a",
                            .remove = gone,
                            .nremove = COUNT_OF(gone)}};
    struct call *w;

    (void)state;
    w = write_json(STORE_UPDATE, "a", NULL, "{\"n\":1}");
    assert_int_equal(w->reply.err.code, ERR_NONE);
    assert_false(w->reply.found);
    assert_document("a", NULL);

    assert_created("a", "{\"a\":1,\"b\":{\"x\":1},\"c\":{\"x\":1}}");
    w = write_json(STORE_UPDATE, "a", NULL, "{\"a\":null,\"c\":{\"y\":2},\"d\":[]}");
    assert_true(w->reply.found);
    assert_document("a", "{\"a\":null,\"b\":{\"x\":1},\"c\":{\"y\":2},\"d\":[]}");

    assert_int_equal(finish(&c), ERR_NONE); /* no members to set */
    assert_document("a", "{\"a\":null,\"c\":{\"y\":2},\"d\":[]}");
    store_reply_fini(&c.reply);
}

static void test_precondition(void **state) {
    char first[STORE_VERSION_SIZE], second[STORE_VERSION_SIZE];
    struct call *c;

    (void)state;
    c = write_json(STORE_CREATE, "a", NULL, "{\"n\":1}");
    strcpy(first, c->reply.version);
    assert_string_not_equal(first, "");
    assert_string_equal(get("a")->reply.version, first);

    c = write_json(STORE_UPDATE, "a", first, "{\"n\":2}");
    assert_int_equal(c->reply.err.code, ERR_NONE);
    strcpy(second, c->reply.version);
    assert_string_not_equal(second, first);
    assert_string_equal(get("a")->reply.version, second);

    static const char *const stale[] = {"", "0", "x", "99999999999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(stale) + 1; i++) {
        const char *version = i == 0 ? first : stale[i - 1];

        c = write_json(STORE_UPDATE, "a", version, "{\"n\":3}");
        assert_int_equal(c->reply.err.code, ERR_CONFLICT);
        c = write_json(STORE_DELETE, "a", version, NULL);
        assert_int_equal(c->reply.err.code, ERR_CONFLICT);
    }
    assert_document("a", "{\"n\":2}");
    assert_int_equal(write_json(STORE_DELETE, "a", second, NULL)->reply.err.code, ERR_NONE);
    assert_document("a", NULL);
}

static void test_version_is_never_repeated(void **state) {
    char first[STORE_VERSION_SIZE];

    (void)state;
    strcpy(first, write_json(STORE_CREATE, "a", NULL, "{}")->reply.version);
    write_json(STORE_DELETE, "a", NULL, NULL);
    reopen_store();
    assert_string_not_equal(write_json(STORE_CREATE, "a", NULL, "{}")->reply.version, first);
}

static void test_delete(void **state) {
    (void)state;
    assert_int_equal(write_json(STORE_DELETE, "a", NULL, NULL)->reply.err.code, ERR_NONE);
    assert_int_equal(write_json(STORE_DELETE, "a", "7", NULL)->reply.err.code, ERR_NONE);
    assert_created("a", "{}");
    assert_created("b", "{}");
    assert_int_equal(write_json(STORE_DELETE, "a", NULL, NULL)->reply.err.code, ERR_NONE);
    assert_document("a", NULL);
    assert_document("b", "{}");
}

static void test_increment(void **state) {
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"{}", "{\"first\":\"now\",\"last\":\"now\",\"n\":1}"},
        {"{\"n\":0}", "{\"first\":\"now\",\"last\":\"now\",\"n\":1}"},
        {"{\"first\":null,\"n\":41}", "{\"first\":\"now\",\"last\":\"now\",\"n\":42}"},
        {"{\"first\":\"then\",\"last\":\"then\",\"n\":1,\"x\":[]}",
         "{\"first\":\"then\",\"last\":\"now\",\"n\":2,\"x\":[]}"},
        {"{\"n\":\"7\"}", "{\"first\":\"now\",\"last\":\"now\",\"n\":1}"},
        {"{\"n\":1.5}", "{\"first\":\"now\",\"last\":\"now\",\"n\":1}"},
        {"{\"n\":9223372036854775807}",
         "{\"first\":\"now\",\"last\":\"now\",\"n\":9223372036854775807}"},
    };
    struct call c = {.rq = {.verb = STORE_INCREMENT,
                            .collection = "drafts",
                            .counter = "n",
                            .first = "first",
                            .last = "last",
                            .now = "now"}};
    char id[16];

    (void)state;
    c.rq.id = "none";
    assert_int_equal(finish(&c), ERR_NONE);
    assert_false(c.reply.found);
    assert_document("none", NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(id, sizeof(id), "d%zu", i);
        assert_created(id, cases[i].before);
        c.rq.id = id;
        assert_int_equal(finish(&c), ERR_NONE);
        assert_true(c.reply.found);
        assert_document(id, cases[i].after);
    }
    c.rq.first = c.rq.last = c.rq.now = NULL;
    c.rq.id = "d0";
    assert_int_equal(finish(&c), ERR_NONE);
    assert_document("d0", "{\"first\":\"now\",\"last\":\"now\",\"n\":2}");
}

/* What Firestore does with appendMissingElements. */
static void test_increment_and_append(void **state) {
    static const struct {
        const char *before, *append, *after;
    } cases[] = {
        {"{}", "{\"l\":{\"a\":1}}", "{\"l\":[{\"a\":1}],\"n\":1}"},
        {"{\"l\":[]}", "{\"l\":\"x\",\"m\":[2]}", "{\"l\":[\"x\"],\"m\":[[2]],\"n\":1}"},
        {"{\"l\":[1,{\"b\":[2],\"a\":1}],\"n\":1}", "{\"l\":{\"a\":1,\"b\":[2]}}",
         "{\"l\":[1,{\"a\":1,\"b\":[2]}],\"n\":2}"},
        {"{\"l\":[{\"a\":1}]}", "{\"l\":{\"a\":2}}", "{\"l\":[{\"a\":1},{\"a\":2}],\"n\":1}"},
        {"{\"l\":\"text\"}", "{\"l\":null}", "{\"l\":[null],\"n\":1}"},
        {"{\"l\":{\"a\":1}}", "{\"l\":{\"a\":1}}", "{\"l\":[{\"a\":1}],\"n\":1}"},
        {"{\"l\":[1]}", "{}", "{\"l\":[1],\"n\":1}"},
    };
    struct call c = {.rq = {.verb = STORE_INCREMENT, .collection = "drafts", .counter = "n"}};
    char id[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(id, sizeof(id), "d%zu", i);
        assert_created(id, cases[i].before);
        c.rq.id = id;
        c.rq.append = json_loads(cases[i].append, 0, NULL);
        assert_int_equal(finish(&c), ERR_NONE);
        json_decref(c.rq.append);
        assert_document(id, cases[i].after);
    }
}

/* --- parts ----------------------------------------------------------------------------------- */

static void assert_parts(const char *id, const char *const *want, size_t n) {
    struct call c = {.rq = {.verb = STORE_PARTS, .collection = "drafts", .id = id}};

    assert_int_equal(finish(&c), ERR_NONE);
    assert_true(c.reply.found);
    assert_int_equal(c.reply.nparts, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(c.reply.parts[i]->len, strlen(want[i]));
        assert_memory_equal(c.reply.parts[i]->data, want[i], strlen(want[i]));
    }
    store_reply_fini(&c.reply);
}

static void write_parts(enum store_verb verb, const char *id, const char *const *text, size_t n) {
    struct blob *parts[STORE_PARTS_MAX];
    struct call c = {.rq = {.verb = verb,
                            .collection = "drafts",
                            .id = id,
                            .fields = json_object(),
                            .parts = parts,
                            .nparts = n,
                            .set_parts = true}};

    for (size_t i = 0; i < n; i++)
        parts[i] = blob_copy(text[i], strlen(text[i]));
    assert_int_equal(finish(&c), ERR_NONE);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(parts[i]->refs, 1); /* the store has let go */
        blob_unref(parts[i]);
    }
    json_decref(c.rq.fields);
    store_reply_fini(&c.reply);
}

static void test_parts(void **state) {
    static const char *const three[] = {"one", "", "three"};
    static const char *const two[] = {"four", "five"};
    struct call none = {.rq = {.verb = STORE_PARTS, .collection = "drafts", .id = "none"}};

    (void)state;
    assert_int_equal(finish(&none), ERR_NONE);
    assert_false(none.reply.found);

    write_parts(STORE_CREATE, "a", three, 3);
    assert_parts("a", three, 3);
    write_json(STORE_UPDATE, "a", NULL, "{\"n\":1}");
    assert_parts("a", three, 3);
    write_parts(STORE_UPDATE, "a", two, 2);
    assert_parts("a", two, 2);
    write_parts(STORE_UPDATE, "a", NULL, 0);
    assert_parts("a", NULL, 0);

    write_parts(STORE_UPDATE, "a", three, 3);
    write_json(STORE_DELETE, "a", NULL, NULL);
    assert_created("a", "{}");
    assert_parts("a", NULL, 0);
}

static void test_reopening_keeps_all(void **state) {
    static const char *const parts[] = {"part"};
    char version[STORE_VERSION_SIZE];

    (void)state;
    write_parts(STORE_CREATE, "a", parts, 1);
    strcpy(version, write_json(STORE_UPDATE, "a", NULL, "{\"n\":1}")->reply.version);
    reopen_store();
    assert_document("a", "{\"n\":1}");
    assert_string_equal(get("a")->reply.version, version);
    assert_parts("a", parts, 1);
}

/* --- listings -------------------------------------------------------------------------------- */

/* The ids of one page, "a b c"; the token for the next is left in *token. */
static char *page_before(const char *before, const char *status, unsigned limit, char **token) {
    static char ids[512];
    struct call c = {.rq = {.verb = STORE_QUERY,
                            .collection = "drafts",
                            .where = status == NULL ? NULL : "status",
                            .is = status,
                            .before = before,
                            .limit = limit,
                            .page_token = *token}};

    assert_int_equal(finish(&c), ERR_NONE);
    ids[0] = '\0';
    for (size_t i = 0; i < c.reply.ndocs; i++) {
        if (i > 0)
            strcat(ids, " ");
        strcat(ids, c.reply.docs[i].id);
        assert_true(json_is_object(c.reply.docs[i].fields));
        assert_string_equal(c.reply.docs[i].version, get(c.reply.docs[i].id)->reply.version);
    }
    free(*token);
    *token = c.reply.next_page_token;
    c.reply.next_page_token = NULL;
    store_reply_fini(&c.reply);
    return ids;
}

static char *page(const char *status, unsigned limit, char **token) {
    return page_before(NULL, status, limit, token);
}

static void create_at(const char *id, const char *created_at, const char *status) {
    char json[256];

    snprintf(json, sizeof(json), "{\"created_at\":%s,\"status\":%s}", created_at, status);
    assert_created(id, json);
}

static void test_query_order(void **state) {
    char *token = NULL;

    (void)state;
    assert_string_equal(page(NULL, 10, &token), "");
    assert_null(token);
    create_at("b", "\"2026-01-02T00:00:00Z\"", "\"pending\"");
    create_at("whole", "\"2026-01-03T00:00:00Z\"", "\"sent\"");
    create_at("fraction", "\"2026-01-03T00:00:00.5Z\"", "\"pending\"");
    create_at("a", "\"2026-01-02T00:00:00Z\"", "\"pending\"");
    create_at("old", "\"2025-12-31T23:59:59Z\"", "\"sent\"");
    assert_string_equal(page(NULL, 10, &token), "fraction whole b a old");
    assert_string_equal(page("pending", 10, &token), "fraction b a");
    assert_string_equal(page("sent", 10, &token), "whole old");
    assert_string_equal(page("' OR 1", 10, &token), "");
    write_json(STORE_UPDATE, "b", NULL, "{\"status\":\"sent\"}");
    assert_string_equal(page("sent", 10, &token), "whole b old");
    assert_null(token);
}

static void test_query_with_odd_members(void **state) {
    static const char *const odd[] = {"null", "7", "\"\"", "[1]", "{\"a\":1}", "\"\\u0000\""};
    char *token = NULL, id[16], all[64] = "good";

    (void)state;
    create_at("good", "\"2026-01-01T00:00:00Z\"", "\"pending\"");
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        snprintf(id, sizeof(id), "d%zu", i);
        create_at(id, odd[i], odd[i]);
    }
    assert_created("d6", "{}");
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(page(NULL, 1, &token), i == 0 ? "good" : id);
        assert_non_null(token);
        snprintf(id, sizeof(id), "d%zu", 6 - i);
        strcat(strcat(all, " "), id);
    }
    assert_string_equal(page(NULL, 1, &token), "d0");
    assert_null(token);
    assert_string_equal(page(NULL, 10, &token), all);
    assert_string_equal(page("pending", 10, &token), "good");
}

static unsigned count(const char *where, const char *is, unsigned limit) {
    struct call c = {
        .rq = {
            .verb = STORE_COUNT, .collection = "drafts", .where = where, .is = is, .limit = limit}};

    assert_int_equal(finish(&c), ERR_NONE);
    return c.reply.count;
}

/* With documents that are odd, too: their members are no texts. */
static void test_count(void **state) {
    char id[16];

    (void)state;
    assert_int_equal(count(NULL, NULL, 10), 0);
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof(id), "d%d", i);
        assert_created(id, i < 4 ? "{\"status\":\"pending\",\"waiting\":\"held\"}"
                                 : "{\"status\":[\"pending\"],\"waiting\":{}}");
    }
    assert_int_equal(count(NULL, NULL, 100), 10);
    assert_int_equal(count(NULL, NULL, 10), 10);
    assert_int_equal(count(NULL, NULL, 9), 10);
    assert_int_equal(count(NULL, NULL, 5), 6);
    assert_int_equal(count("status", "pending", 10), 4);
    assert_int_equal(count("status", "sent", 10), 0);
    assert_int_equal(count("waiting", "held", 2), 3);
    assert_int_equal(count("waiting", "", 2), 0);
}

static void test_query_before(void **state) {
    char *token = NULL;

    (void)state;
    create_at("a", "\"2026-01-02T00:00:00Z\"", "\"pending\"");
    create_at("b", "\"2026-01-02T00:00:00.000001Z\"", "\"sent\"");
    create_at("c", "\"2026-01-02T00:00:00.5Z\"", "\"pending\"");
    create_at("d", "\"2026-01-02T00:00:00.500000Z\"", "\"pending\"");
    create_at("e", "\"2026-01-03T00:00:00Z\"", "\"pending\"");
    assert_string_equal(page_before("2026-01-02T00:00:00.000000Z", NULL, 9, &token), "");
    assert_string_equal(page_before("2026-01-02T00:00:00.000001Z", NULL, 9, &token), "a");
    assert_string_equal(page_before("2026-01-02T00:00:00.500000Z", NULL, 9, &token), "b a");
    assert_string_equal(page_before("2026-01-02T00:00:00.500001Z", NULL, 9, &token), "d c b a");
    assert_string_equal(page_before("2026-01-03T00:00:00.000000Z", "pending", 9, &token), "d c a");
    assert_null(token);
    assert_string_equal(page_before("2026-01-03T00:00:00.000000Z", NULL, 1, &token), "d");
    assert_string_equal(page_before("2026-01-03T00:00:00.000000Z", NULL, 2, &token), "c b");
    assert_string_equal(page_before("2026-01-03T00:00:00.000000Z", NULL, 2, &token), "a");
    assert_null(token);
}

static void test_query_while_documents_come_and_go(void **state) {
    char *token = NULL;

    (void)state;
    create_at("1", "\"2026-01-01T00:00:00Z\"", "\"pending\"");
    create_at("2", "\"2026-01-02T00:00:00Z\"", "\"pending\"");
    create_at("3", "\"2026-01-03T00:00:00Z\"", "\"pending\"");
    create_at("4", "\"2026-01-03T00:00:00Z\"", "\"pending\"");
    assert_string_equal(page("pending", 1, &token), "4");
    create_at("5", "\"2026-01-05T00:00:00Z\"", "\"pending\"");
    assert_string_equal(page("pending", 1, &token), "3");
    create_at("6", "\"2026-01-01T12:00:00Z\"", "\"pending\"");
    write_json(STORE_DELETE, "2", NULL, NULL); /* where the next page begins */
    assert_string_equal(page("pending", 5, &token), "6 1");
    assert_null(token);
}

static void test_page_tokens_that_are_none(void **state) {
    static const char *const tokens[] = {"",   "x",    "abcd",     "AAAA",
                                         "AA", "....", "\xff\xff", "YQBiAGM"};
    static char huge[20000];
    struct call c = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 1}};

    (void)state;
    memset(huge, 'A', sizeof(huge) - 1);
    for (size_t i = 0; i < COUNT_OF(tokens) + 1; i++) {
        c.rq.page_token = i == 0 ? huge : tokens[i - 1];
        assert_int_equal(finish(&c), ERR_INVALID_FIELD);
        assert_string_equal(c.reply.err.field, "page_token");
        assert_int_equal(c.reply.ndocs, 0);
    }
}

static void test_a_page_of_large_documents_ends_early(void **state) {
    const size_t size = 600 * KIB;
    char *json = malloc(size + 64), *token = NULL;
    size_t n = (size_t)sprintf(json, "{\"body\":\"");

    (void)state;
    memset(json + n, 'x', size);
    strcpy(json + n + size, "\"}");
    assert_created("1", json);
    assert_created("2", json);
    assert_created("3", json);
    free(json);
    assert_string_equal(page(NULL, 200, &token), "3 2");
    assert_string_equal(page(NULL, 200, &token), "1");
    assert_null(token);
}

static void test_listings_use_an_index(void **state) {
    static const char *const listings[] = {
        "EXPLAIN QUERY PLAN SELECT id, body FROM document WHERE collection = 'a'"
        " AND (created_at, id) <= ('b', 'c') ORDER BY created_at DESC, id DESC",
        "EXPLAIN QUERY PLAN SELECT id, body FROM document WHERE collection = 'a' AND status = 's'"
        " AND (created_at, id) <= ('b', 'c') ORDER BY created_at DESC, id DESC",
        "EXPLAIN QUERY PLAN SELECT id, body FROM document WHERE collection = 'a' AND waiting = ?1"
        " AND (created_at, id) <= ('b', 'c') ORDER BY created_at DESC, id DESC",
    };
    sqlite3 *db = open_raw();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(listings); i++) {
        sqlite3_stmt *st = NULL;

        assert_int_equal(sqlite3_prepare_v2(db, listings[i], -1, &st, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        assert_non_null(strstr((const char *)sqlite3_column_text(st, 3), "(created_at,id)<(?,?)"));
        assert_int_equal(sqlite3_step(st), SQLITE_DONE); /* no sorting after it */
        sqlite3_finalize(st);
    }
    sqlite3_close(db);
}

int main(void) {
#define OPEN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OPEN(test_create_and_get),
        OPEN(test_create_twice),
        OPEN(test_collections_are_apart),
        OPEN(test_ids),
        OPEN(test_update),
        OPEN(test_precondition),
        OPEN(test_version_is_never_repeated),
        OPEN(test_delete),
        OPEN(test_increment),
        OPEN(test_increment_and_append),
        OPEN(test_parts),
        OPEN(test_reopening_keeps_all),
        OPEN(test_query_order),
        OPEN(test_count),
        OPEN(test_query_before),
        OPEN(test_query_with_odd_members),
        OPEN(test_query_while_documents_come_and_go),
        OPEN(test_page_tokens_that_are_none),
        OPEN(test_a_page_of_large_documents_ends_early),
        OPEN(test_listings_use_an_index),
    };

    return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
