/*
 * The store in Firestore: against Google's own emulator where it is installed, and against canned
 * answers and lost ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth.h"
#include "fetch.h"
#include "firestore_server.h"
#include "json_text.h"
#include "store_fixture.h"

#define ROOT     "projects/paraph-local/databases/(default)/documents"
#define DRAFTS   ROOT "/drafts"
#define COMMIT   ":commit"
#define GET      ":batchGet"
#define QUERY    ":runQuery"
#define COUNTING ":runAggregationQuery"
#define TIME     "2026-03-01T09:30:00.000000Z"
#define NOW      "2026-03-02T08:00:00.000000Z"

#define ACTS(...)                                                                                  \
    do {                                                                                           \
        static const struct act acts_[] = {__VA_ARGS__};                                           \
        set_acts(acts_, COUNT_OF(acts_));                                                          \
    } while (0)

/* --- the emulator, asked directly ------------------------------------------------------------ */

/* The body of its answer as a tree. */
static json_t *ask_directly(const char *method, const char *path, const char *body) {
    size_t len;
    char *answer = ask_emulator(method, path, body, strlen(body), &len);
    char *start = strstr(answer, "\r\n\r\n");
    json_t *tree;

    assert_non_null(start);
    tree = json_loads(start, 0, NULL);
    assert_non_null(tree);
    free(answer);
    return tree;
}

static void write_directly(const char *writes) {
    json_t *answer;
    struct buf body;

    buf_init(&body, MIB);
    buf_addf(&body, "{\"writes\":[%s]}", writes);
    answer = ask_directly("POST", "/v1/" ROOT ":commit", body.data);
    assert_non_null(json_object_get(answer, "writeResults"));
    json_decref(answer);
    buf_free(&body);
}

/* How many documents are below a draft. */
static size_t count_below(const char *id) {
    char path[256];
    json_t *answer, *element;
    size_t i, n = 0;

    snprintf(path, sizeof(path), "/v1/" DRAFTS "/%s:runQuery", id);
    answer =
        ask_directly("POST", path, "{\"structuredQuery\":{\"from\":[{\"allDescendants\":true}]}}");
    json_array_foreach(answer, i, element) n += json_object_get(element, "document") != NULL;
    json_decref(answer);
    return n;
}

/* --- set-up ---------------------------------------------------------------------------------- */

static int set_up_firestore(void **state) {
    static char host[32];
    struct err e = {0};

    (void)state;
    snprintf(host, sizeof(host), "127.0.0.1:%u", server.port);
    env.backend = ENV_GOOGLE;
    env.firestore_emulator_host = host;
    env.firestore_database = "(default)";
    env.project = NULL;
    env.upstream_timeout = 20;
    waiting = 0;
    set_acts(NULL, 0);
    assert_int_equal(loop_init(), 0);
    assert_int_equal(fetch_init(&e), 0);
    open_store();
    return 0;
}

static int tear_down_firestore(void **state) {
    (void)state;
    store_reply_fini(&got.reply);
    store_reply_fini(&written.reply);
    store_fini();
    fetch_fini();
    assert_int_equal(loop_fini(), 0);
    if (server.emulator != 0)
        json_decref(ask_directly("DELETE", "/emulator/v1/" ROOT, ""));
    return 0;
}

/* --- documents ------------------------------------------------------------------------------- */

static void test_create_and_get(void **state) {
    static const char *const documents[] = {
        "{}",
        "{\"a\":null,\"b\":true,\"c\":[],\"d\":{},\"e\":[1,{\"f\":\"\"}]}",
        "{\"max\":9223372036854775807,\"min\":-9223372036854775808}",
        "{\"real\":42.0,\"tenth\":0.10000000000000001,\"third\":0.33333333333333331}",
        "{\"tiny\":4.9406564584124654e-324,\"vast\":1.7976931348623157e308}",
        "{\"nul\":\"a\\u0000b\",\"status\":\"\\u0000\"}",
        "{\"text\":\"\\\"\\\\\\n Zo\xc3\xab \xf0\x9f\x92\x8c \xe2\x80\xa8\"}",
        "{\"a.b\":1,\"x y`\\\\\":2,\"\xc3\xab\":{\"9.z\":3}}",
        "{\"created_at\":\"" TIME "\",\"sending_since\":null,\"sent_at\":\"soon\"}",
        "{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":"
        "{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{\"m\":{}}}}}}}}}}}}}}}}}}}}}",
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
    (void)state;
    assert_created("a", "{\"n\":1}");
    assert_int_equal(write_json(STORE_CREATE, "a", NULL, "{\"n\":2}")->reply.err.code,
                     ERR_ALREADY_EXISTS);
    assert_int_equal(write_json(STORE_CREATE, "a", NULL, "{\"n\":1}")->reply.err.code,
                     ERR_ALREADY_EXISTS); /* the same is not ours */
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
    static char longest[1001];
    const char *const ids[] = {longest, "' OR '1'='1", "%", "a b@c?d#e", "...", "\xf0\x9f\x92\x8c"};

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        assert_document(ids[i], NULL);
        assert_created(ids[i], "{}");
        assert_document(ids[i], "{}");
        assert_int_equal(write_json(STORE_DELETE, ids[i], NULL, NULL)->reply.err.code, ERR_NONE);
        assert_document(ids[i], NULL);
    }
}

static void test_update(void **state) {
    static const char *const gone[] = {"b", "never", "x.y", "b"};
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

    assert_created("a", "{\"a\":1,\"b\":{\"x\":1},\"c\":{\"x\":1},\"x.y\":1,\"x\":{\"y\":1}}");
    w = write_json(STORE_UPDATE, "a", NULL, "{\"a\":null,\"c\":{\"y\":2},\"d\":[],\"9\":9}");
    assert_true(w->reply.found);
    assert_document(
        "a",
        "{\"9\":9,\"a\":null,\"b\":{\"x\":1},\"c\":{\"y\":2},\"d\":[],\"x\":{\"y\":1},\"x.y\":1}");

    c.rq.fields = json_pack("{s:i}", "b", 7); /* to remove is stronger than to set */
    assert_int_equal(finish(&c), ERR_NONE);
    assert_document("a", "{\"9\":9,\"a\":null,\"c\":{\"y\":2},\"d\":[],\"x\":{\"y\":1}}");
    assert_string_equal(get("a")->reply.version, c.reply.version);
    json_decref(c.rq.fields);
    store_reply_fini(&c.reply);
}

static void test_precondition(void **state) {
    static const char *const stale[] = {
        "", "0", "x", "99999999999999999999999999", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"};
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

    for (size_t i = 0; i < COUNT_OF(stale) + 1; i++) {
        const char *version = i == 0 ? first : stale[i - 1];

        c = write_json(STORE_UPDATE, "a", version, "{\"n\":3}");
        assert_int_equal(c->reply.err.code, ERR_CONFLICT);
        c = write_json(STORE_UPDATE, "none", version, "{\"n\":3}");
        assert_int_equal(c->reply.err.code, ERR_NONE);
        assert_false(c->reply.found);
        c = write_json(STORE_DELETE, "a", version, NULL);
        assert_int_equal(c->reply.err.code, ERR_CONFLICT);
        c = write_json(STORE_DELETE, "none", version, NULL);
        assert_int_equal(c->reply.err.code, ERR_NONE);
    }
    assert_document("none", NULL);
    assert_document("a", "{\"n\":2}");
    assert_int_equal(write_json(STORE_DELETE, "a", second, NULL)->reply.err.code, ERR_NONE);
    assert_document("a", NULL);
}

/* Firestore alone would leave the version as it is. */
static void test_every_write_changes_the_version(void **state) {
    char first[STORE_VERSION_SIZE];

    (void)state;
    strcpy(first, write_json(STORE_CREATE, "a", NULL, "{\"n\":1}")->reply.version);
    write_json(STORE_UPDATE, "a", first, "{\"n\":1}");
    assert_int_equal(written.reply.err.code, ERR_NONE);
    assert_string_not_equal(written.reply.version, first);
    assert_int_equal(write_json(STORE_UPDATE, "a", first, "{\"n\":1}")->reply.err.code,
                     ERR_CONFLICT);
}

static void test_delete(void **state) {
    (void)state;
    assert_int_equal(write_json(STORE_DELETE, "a", NULL, NULL)->reply.err.code, ERR_NONE);
    assert_created("a", "{}");
    assert_created("b", "{}");
    assert_int_equal(write_json(STORE_DELETE, "a", NULL, NULL)->reply.err.code, ERR_NONE);
    assert_document("a", NULL);
    assert_document("b", "{}");
}

/* As the service that came before wrote them. */
static void test_documents_of_others(void **state) {
    char version[STORE_VERSION_SIZE];

    (void)state;
    write_directly("{\"update\":{\"name\":\"" DRAFTS "/old\",\"fields\":{"
                   "\"to\":{\"stringValue\":\"bob@example.com\"},"
                   "\"created_at\":{\"timestampValue\":\"2024-03-01T09:30:00.5Z\"},"
                   "\"sent_at\":{\"nullValue\":null},"
                   "\"where\":{\"geoPointValue\":{\"latitude\":1.5}},"
                   "\"raw\":{\"bytesValue\":\"AAE=\"},"
                   "\"nan\":{\"doubleValue\":\"NaN\"},"
                   "\"open_count\":{\"integerValue\":\"2\"}}}}");
    assert_document("old", "{\"created_at\":\"2024-03-01T09:30:00.500000Z\",\"nan\":\"NaN\","
                           "\"open_count\":2,\"raw\":\"AAE=\",\"sent_at\":null,"
                           "\"to\":\"bob@example.com\",\"where\":{\"latitude\":1.5,"
                           "\"longitude\":0.0}}");
    strcpy(version, got.reply.version);
    write_json(STORE_UPDATE, "old", version, "{\"sent_at\":\"" TIME "\"}");
    assert_int_equal(written.reply.err.code, ERR_NONE);
    assert_string_equal(json_string_value(json_object_get(get("old")->reply.fields, "sent_at")),
                        TIME);
    assert_string_equal(json_string_value(json_object_get(got.reply.fields, "created_at")),
                        "2024-03-01T09:30:00.500000Z");
}

/* --- counting -------------------------------------------------------------------------------- */

static struct call *increment(const char *id) {
    static struct call c;

    c.rq = (struct store_request){.verb = STORE_INCREMENT,
                                  .collection = "drafts",
                                  .id = id,
                                  .counter = "n",
                                  .first = "first_at",
                                  .last = "last_at",
                                  .now = NOW};
    assert_int_equal(finish(&c), ERR_NONE);
    return &c;
}

static void test_increment(void **state) {
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"{}", "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":1}"},
        {"{\"n\":0}", "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":1}"},
        {"{\"first_at\":null,\"n\":41}",
         "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":42}"},
        {"{\"first_at\":\"" TIME "\",\"last_at\":\"" TIME "\",\"n\":1,\"x\":[]}",
         "{\"first_at\":\"" TIME "\",\"last_at\":\"" NOW "\",\"n\":2,\"x\":[]}"},
        {"{\"n\":\"7\"}", "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":1}"},
        {"{\"n\":9223372036854775807}",
         "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":9223372036854775807}"},
    };
    struct call bare = {
        .rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = "d0", .counter = "n o"}};
    char id[16];

    (void)state;
    assert_false(increment("none")->reply.found);
    assert_document("none", NULL);
    assert_int_equal(count_below("none"), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        snprintf(id, sizeof(id), "d%zu", i);
        assert_created(id, cases[i].before);
        assert_true(increment(id)->reply.found);
        assert_document(id, cases[i].after);
        assert_int_equal(count_below(id), 1);
    }
    assert_int_equal(finish(&bare), ERR_NONE);
    assert_document("d0", "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":1,\"n o\":1}");
    bare.rq.id = "none";
    assert_int_equal(finish(&bare), ERR_NONE);
    assert_false(bare.reply.found);
    write_json(STORE_DELETE, "d0", NULL, NULL);
    assert_int_equal(count_below("d0"), 0);
}

static void test_increment_and_append(void **state) {
    static const struct {
        const char *before, *append, *after;
    } cases[] = {
        {"{}", "{\"l\":{\"a\":1}}", "{\"l\":[{\"a\":1}],\"n\":1}"},
        {"{\"l\":[]}", "{\"l\":\"x\",\"a m\":[2]}", "{\"a m\":[[2]],\"l\":[\"x\"],\"n\":1}"},
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

static void test_many_count_at_once(void **state) {
    static struct call calls[30];

    (void)state;
    assert_created("a", "{\"n\":0,\"first_at\":null}");
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        calls[i].rq = (struct store_request){.verb = STORE_INCREMENT,
                                             .collection = "drafts",
                                             .id = "a",
                                             .counter = "n",
                                             .first = "first_at",
                                             .last = "last_at",
                                             .now = NOW};
        begin(&calls[i]);
    }
    wait_for_all();
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_string_equal(calls[i].reply.err.message, "");
        assert_true(calls[i].reply.found);
    }
    assert_document("a", "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":30}");
}

/* --- parts ----------------------------------------------------------------------------------- */

struct part {
    char fill;
    size_t len;
};

static void assert_parts(const char *id, const struct part *want, size_t n) {
    struct call c = {.rq = {.verb = STORE_PARTS, .collection = "drafts", .id = id}};

    assert_int_equal(finish(&c), ERR_NONE);
    assert_true(c.reply.found);
    assert_int_equal(c.reply.nparts, n);
    for (size_t i = 0; i < n; i++) {
        const struct blob *part = c.reply.parts[i];

        assert_int_equal(part->len, want[i].len);
        for (size_t at = 0; at < part->len; at++)
            if (part->data[at] != (char)(want[i].fill + (char)(at / 900000)))
                fail_msg("part %zu differs at byte %zu", i, at);
    }
    store_reply_fini(&c.reply);
}

static enum err_code write_parts(enum store_verb verb, const char *id, const char *version,
                                 const struct part *want, size_t n) {
    struct blob *parts[STORE_PARTS_MAX];
    struct call c = {.rq = {.verb = verb,
                            .collection = "drafts",
                            .id = id,
                            .version = version,
                            .fields = json_object(),
                            .parts = parts,
                            .nparts = n,
                            .set_parts = true}};
    enum err_code code;

    for (size_t i = 0; i < n; i++) {
        char *data = malloc(want[i].len + 1);

        for (size_t at = 0; at < want[i].len; at++)
            data[at] = (char)(want[i].fill + (char)(at / 900000));
        parts[i] = blob_own(data, want[i].len);
    }
    code = finish(&c);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(parts[i]->refs, 1); /* the store has let go */
        blob_unref(parts[i]);
    }
    json_decref(c.rq.fields);
    store_reply_fini(&c.reply);
    return code;
}

static const struct part three[] = {{'a', 3}, {'b', 0}, {'c', 2000001}}; /* 4 slices */
static const struct part five[] = {{'d', 900000}, {'e', 1}, {'f', 1}, {'g', 1}, {'h', 900001}};

static void test_parts(void **state) {
    struct call none = {.rq = {.verb = STORE_PARTS, .collection = "drafts", .id = "none"}};

    (void)state;
    assert_int_equal(finish(&none), ERR_NONE);
    assert_false(none.reply.found);

    assert_int_equal(write_parts(STORE_CREATE, "a", NULL, three, 3), ERR_NONE);
    assert_document("a", "{}");
    assert_parts("a", three, 3);
    assert_int_equal(count_below("a"), 4);
    write_json(STORE_UPDATE, "a", NULL, "{\"n\":1}");
    assert_parts("a", three, 3);
    assert_int_equal(write_parts(STORE_UPDATE, "a", NULL, five, 5), ERR_NONE);
    assert_parts("a", five, 5);
    assert_int_equal(count_below("a"), 6); /* the old ones are gone */
    assert_int_equal(write_parts(STORE_UPDATE, "a", NULL, NULL, 0), ERR_NONE);
    assert_parts("a", NULL, 0);
    assert_int_equal(count_below("a"), 0);

    assert_int_equal(write_parts(STORE_UPDATE, "a", NULL, three, 3), ERR_NONE);
    write_json(STORE_DELETE, "a", NULL, NULL);
    assert_int_equal(count_below("a"), 0);
    assert_created("a", "{}");
    assert_parts("a", NULL, 0);
}

static void test_parts_of_a_refused_write(void **state) {
    (void)state;
    assert_int_equal(write_parts(STORE_CREATE, "a", NULL, three, 3), ERR_NONE);
    assert_int_equal(write_parts(STORE_CREATE, "a", NULL, five, 5), ERR_ALREADY_EXISTS);
    assert_int_equal(write_parts(STORE_UPDATE, "a", "2020-01-01T00:00:00Z", five, 5), ERR_CONFLICT);
    assert_int_equal(write_parts(STORE_UPDATE, "a", "x", five, 5), ERR_CONFLICT);
    assert_parts("a", three, 3);
    assert_int_equal(count_below("a"), 4);
    assert_int_equal(write_parts(STORE_UPDATE, "none", NULL, five, 5), ERR_NONE);
    assert_int_equal(count_below("none"), 0);
}

static void test_slices_left_behind(void **state) {
    (void)state;
    write_directly("{\"update\":{\"name\":\"" DRAFTS "/a/parts/old-0-0\"}}");
    write_directly("{\"update\":{\"name\":\"" DRAFTS "/b/parts/old-0-0\"}}");
    assert_int_equal(write_parts(STORE_CREATE, "a", NULL, three, 1), ERR_NONE);
    assert_int_equal(count_below("a"), 1);
    write_json(STORE_DELETE, "b", NULL, NULL);
    assert_int_equal(count_below("b"), 0);
}

static void test_a_lost_slice(void **state) {
    struct call c = {.rq = {.verb = STORE_PARTS, .collection = "drafts", .id = "a"}};
    char name[256];
    json_t *answer;
    const char *full;

    (void)state;
    assert_int_equal(write_parts(STORE_CREATE, "a", NULL, three, 1), ERR_NONE);
    answer = ask_directly("POST", "/v1/" DRAFTS "/a:runQuery",
                          "{\"structuredQuery\":{\"from\":[{\"allDescendants\":true}]}}");
    full = json_string_value(
        json_object_get(json_object_get(json_array_get(answer, 0), "document"), "name"));
    snprintf(name, sizeof(name), "{\"delete\":\"%s\"}", full);
    write_directly(name);
    json_decref(answer);
    assert_int_equal(finish(&c), ERR_FIRESTORE_ERROR);
    assert_non_null(strstr(c.reply.err.message, "drafts/a has lost"));
    assert_int_equal(c.reply.nparts, 0);
}

/* --- listings -------------------------------------------------------------------------------- */

/* The ids of one page, "a b c"; the token for the next is left in *token. */
static char *page_before(const char *before, const char *status, unsigned limit, char **token) {
    static char ids[1024];
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
        assert_null(json_object_get(c.reply.docs[i].fields, "_paraph"));
        assert_string_not_equal(c.reply.docs[i].version, "");
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

static unsigned count(const char *where, const char *is, unsigned limit) {
    struct call c = {
        .rq = {
            .verb = STORE_COUNT, .collection = "drafts", .where = where, .is = is, .limit = limit}};

    assert_int_equal(finish(&c), ERR_NONE);
    return c.reply.count;
}

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
    write_json(STORE_DELETE, "3", NULL, NULL); /* behind which the next page begins */
    write_json(STORE_DELETE, "2", NULL, NULL);
    assert_string_equal(page("pending", 5, &token), "6 1");
    assert_null(token);
}

static void test_query_with_odd_times(void **state) {
    static const char *const odd[] = {"null", "7", "\"x\"", "[1]", "{\"a\":1}", "false"};
    char *token = NULL, id[8];
    unsigned n = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        snprintf(id, sizeof(id), "d%zu", i);
        create_at(id, odd[i], odd[i]);
    }
    do /* each once, whatever their order */
        n += page(NULL, 1, &token)[0] == 'd';
    while (token != NULL);
    assert_int_equal(n, COUNT_OF(odd));
    assert_string_equal(page("x", 1, &token), "d2");
}

/* More than fit into one exchange. */
static void test_long_listings(void **state) {
    static char want[2048], have[2048];
    char *token = NULL, id[8], time[64];
    const unsigned n = 60;

    (void)state;
    want[0] = have[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        snprintf(id, sizeof(id), "%02u", i);
        snprintf(time, sizeof(time), "\"2026-01-01T00:00:%02uZ\"", i);
        create_at(id, time, "\"pending\"");
    }
    for (unsigned i = n; i-- > 0;)
        sprintf(want + strlen(want), "%02u ", i);
    strcat(strcpy(have, page("pending", 50, &token)), " ");
    assert_non_null(token);
    strcat(strcat(have, page("pending", 50, &token)), " ");
    assert_null(token);
    assert_string_equal(have, want);
    assert_string_equal(strcat(page(NULL, 60, &token), " "), want);
    assert_null(token);
}

static void test_a_page_of_large_documents_ends_early(void **state) {
    const size_t size = 600 * KIB;
    struct call c = {.rq = {.verb = STORE_CREATE, .collection = "drafts"}};
    char *body = malloc(size + 1), *token = NULL;
    static const char *const ids[] = {"1", "2", "3"};

    (void)state;
    memset(body, '<', size);
    body[size] = '\0';
    c.rq.fields = json_pack("{s:s,s:s}", "body", body, "created_at", TIME);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        c.rq.id = ids[i];
        assert_int_equal(finish(&c), ERR_NONE);
    }
    json_decref(c.rq.fields);
    free(body);
    assert_string_equal(page(NULL, 200, &token), "3 2");
    assert_string_equal(page(NULL, 200, &token), "1");
    assert_null(token);
}

/* --- lost answers ---------------------------------------------------------------------------- */

static void test_a_create_whose_answer_is_lost(void **state) {
    (void)state;
    ACTS({COMMIT, LOSE, 0, NULL});
    assert_created("a", "{\"n\":1}");
    assert_document("a", "{\"n\":1}");
    assert_string_equal(got.reply.version, written.reply.version);

    ACTS({COMMIT, LOSE, 0, NULL});
    assert_int_equal(write_json(STORE_CREATE, "a", NULL, "{\"n\":1}")->reply.err.code,
                     ERR_ALREADY_EXISTS);
}

static void test_an_update_whose_answer_is_lost(void **state) {
    char version[STORE_VERSION_SIZE];

    (void)state;
    assert_created("a", "{\"n\":1}");
    strcpy(version, written.reply.version);
    ACTS({COMMIT, LOSE, 0, NULL});
    write_json(STORE_UPDATE, "a", version, "{\"n\":2}");
    assert_string_equal(written.reply.err.message, "");
    assert_true(written.reply.found);
    assert_document("a", "{\"n\":2}");
    assert_string_equal(got.reply.version, written.reply.version);

    ACTS({COMMIT, LOSE, 0, NULL}); /* what others wrote is not ours, even if it is the same */
    assert_int_equal(write_json(STORE_UPDATE, "a", version, "{\"n\":2}")->reply.err.code,
                     ERR_CONFLICT);

    strcpy(version, got.reply.version);
    ACTS({COMMIT, LOSE, 0, NULL});
    assert_int_equal(write_json(STORE_DELETE, "a", version, NULL)->reply.err.code, ERR_NONE);
    assert_document("a", NULL);
}

static void test_an_open_whose_answer_is_lost(void **state) {
    (void)state;
    assert_created("a", "{\"n\":0}");
    for (unsigned i = 0; i < 2; i++) { /* the first one, and one more */
        ACTS({COMMIT, LOSE, 0, NULL}, {COMMIT, LOSE, 0, NULL});
        assert_true(increment("a")->reply.found);
    }
    assert_document("a", "{\"first_at\":\"" NOW "\",\"last_at\":\"" NOW "\",\"n\":2}");
    assert_int_equal(count_below("a"), 2);
}

static void test_parts_whose_answers_are_lost(void **state) {
    (void)state;
    ACTS({QUERY, LOSE, 0, NULL}, {COMMIT, LOSE, 0, NULL}, {"\"write\"", LOSE, 0, NULL});
    assert_int_equal(write_parts(STORE_CREATE, "a", NULL, three, 3), ERR_NONE);
    assert_int_equal(acts_left(), 0);
    ACTS({GET, LOSE, 0, NULL}, {"/parts/", LOSE, 0, NULL});
    assert_parts("a", three, 3);
    assert_int_equal(acts_left(), 0);
    assert_int_equal(count_below("a"), 4);
}

/* Somebody took our slices for left behind, just before the document was written. */
static void test_slices_swept_too_early(void **state) {
    static const char write[] = "\"write\"";
    struct call c = {.rq = {.verb = STORE_UPDATE,
                            .collection = "drafts",
                            .id = "a",
                            .fields = json_object(),
                            .nparts = 1,
                            .set_parts = true}};
    struct blob *part = blob_copy("part", 4);
    json_t *answer;
    char text[256];

    (void)state;
    c.rq.parts = &part;
    assert_created("a", "{}");
    ACTS({write, HOLD, 0, NULL});
    begin(&c);
    while (count_held() == 0)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    answer = ask_directly("POST", "/v1/" DRAFTS "/a:runQuery",
                          "{\"structuredQuery\":{\"from\":[{\"allDescendants\":true}]}}");
    snprintf(text, sizeof(text), "{\"delete\":\"%s\"}",
             json_string_value(
                 json_object_get(json_object_get(json_array_get(answer, 0), "document"), "name")));
    write_directly(text);
    json_decref(answer);
    release_held();
    wait_for_all();
    assert_int_equal(c.reply.err.code, ERR_CONFLICT);
    assert_parts("a", NULL, 0);
    json_decref(c.rq.fields);
    blob_unref(part);
}

/* --- canned answers -------------------------------------------------------------------------- */

#define FOUND(fields)                                                                              \
    "[{\"found\":{\"name\":\"" DRAFTS "/a\",\"updateTime\":\"" TIME "\",\"fields\":{" fields "}}}]"
#define MISSING        "[{\"missing\":\"" DRAFTS "/a\",\"readTime\":\"" TIME "\"}]"
#define WRITTEN        "{\"writeResults\":[{\"updateTime\":\"" TIME "\"}]}"
#define ERROR(status_) "{\"error\":{\"code\":0,\"message\":\"said\",\"status\":\"" status_ "\"}}"

static void test_a_fault_that_passes(void **state) {
    static const struct act faults[] = {
        {COMMIT, ANSWER, 503, ERROR("UNAVAILABLE")},
        {COMMIT, ANSWER, 409, ERROR("ABORTED")},
        {COMMIT, ANSWER, 429, ERROR("RESOURCE_EXHAUSTED")},
        {COMMIT, ANSWER, 500, ERROR("INTERNAL")},
        {COMMIT, ANSWER, 504, "<html>"},
        {COMMIT, LOSE, 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct act acts[] = {faults[i], {COMMIT, ANSWER, 200, WRITTEN}};

        set_acts(acts, COUNT_OF(acts));
        assert_created("a", "{}");
        assert_string_equal(written.reply.version, TIME);
        assert_int_equal(acts_left(), 0);
    }
}

static void test_a_fault_that_stays(void **state) {
    static const struct {
        enum store_verb verb;
        struct act act;
        enum err_code code;
    } cases[] = {
        {STORE_GET, {GET, ANSWER, 404, ERROR("NOT_FOUND")}, ERR_FIRESTORE_ERROR}, /* the database */
        {STORE_GET, {GET, ANSWER, 403, ERROR("PERMISSION_DENIED")}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, "[]"}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, "{}"}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, "[{\"found\":{\"name\":\"x\"}}]"}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, "[" ERROR("PERMISSION_DENIED") "]"}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, FOUND("\"a\":{\"newValue\":1}")}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, "<html>"}, ERR_FIRESTORE_ERROR},
        {STORE_GET, {GET, ANSWER, 200, ""}, ERR_FIRESTORE_ERROR},
        {STORE_PARTS, {GET, ANSWER, 200, FOUND("\"_paraph\":{\"nullValue\":null}")}, ERR_NONE},
        {STORE_PARTS,
         {GET, ANSWER, 200,
          FOUND("\"_paraph\":{\"mapValue\":{\"fields\":{\"parts\":{\"stringValue\":\"x\"}}}}")},
         ERR_FIRESTORE_ERROR},
        {STORE_CREATE, {COMMIT, ANSWER, 400, ERROR("INVALID_ARGUMENT")}, ERR_FIRESTORE_ERROR},
        {STORE_CREATE, {COMMIT, ANSWER, 200, "{}"}, ERR_FIRESTORE_ERROR},
        {STORE_INCREMENT, {COMMIT, ANSWER, 403, ERROR("PERMISSION_DENIED")}, ERR_FIRESTORE_ERROR},
        {STORE_DELETE, {QUERY, ANSWER, 200, "{}"}, ERR_FIRESTORE_ERROR},
        {STORE_QUERY, {QUERY, ANSWER, 200, "[{\"document\":{}}]"}, ERR_FIRESTORE_ERROR},
        {STORE_QUERY, {QUERY, ANSWER, 200, "[{\"document\":7}]"}, ERR_FIRESTORE_ERROR},
        {STORE_QUERY, {QUERY, ANSWER, 200, "{}"}, ERR_FIRESTORE_ERROR},
        {STORE_COUNT,
         {COUNTING, ANSWER, 200, "[{\"readTime\":\"" TIME "\"}]"},
         ERR_FIRESTORE_ERROR},
        {STORE_COUNT,
         {COUNTING, ANSWER, 403, "[" ERROR("PERMISSION_DENIED") "]"},
         ERR_FIRESTORE_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct call c = {.rq = {.verb = cases[i].verb,
                                .collection = "drafts",
                                .id = "a",
                                .counter = "n",
                                .limit = 1,
                                .fields = json_object()}};

        set_acts(&cases[i].act, 1);
        assert_int_equal(finish(&c), cases[i].code);
        assert_int_equal(c.reply.found, cases[i].code == ERR_NONE);
        assert_int_equal(acts_left(), 0);
        json_decref(c.rq.fields);
        store_reply_fini(&c.reply);
    }
}

static void test_a_refused_write(void **state) {
    static const char ours[] =
        FOUND("\"_paraph\":{\"mapValue\":{\"fields\":{\"write\":{\"stringValue\":\"$TAG\"}}}}");
    static const struct {
        enum store_verb verb;
        const char *refusal, *then;
        enum err_code code;
        bool found;
    } cases[] = {
        {STORE_CREATE, ERROR("ALREADY_EXISTS"), ours, ERR_NONE, true},
        {STORE_CREATE, ERROR("ALREADY_EXISTS"), FOUND(""), ERR_ALREADY_EXISTS, false},
        {STORE_CREATE, ERROR("ALREADY_EXISTS"), MISSING, ERR_CONFLICT, false},
        {STORE_UPDATE, ERROR("FAILED_PRECONDITION"), ours, ERR_NONE, true},
        {STORE_UPDATE, ERROR("FAILED_PRECONDITION"), FOUND(""), ERR_CONFLICT, false},
        {STORE_UPDATE, ERROR("FAILED_PRECONDITION"), MISSING, ERR_NONE, false},
        {STORE_UPDATE, ERROR("NOT_FOUND"), MISSING, ERR_NONE, false},
        {STORE_UPDATE, ERROR("NOT_FOUND"), "[]", ERR_FIRESTORE_ERROR, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct act acts[] = {{COMMIT, ANSWER, 409, cases[i].refusal},
                                   {GET, ANSWER, 200, cases[i].then}};
        struct call *c;

        set_acts(acts, COUNT_OF(acts));
        c = write_json(cases[i].verb, "a", cases[i].verb == STORE_UPDATE ? TIME : NULL, "{}");
        assert_int_equal(c->reply.err.code, cases[i].code);
        assert_int_equal(c->reply.found, cases[i].found);
        if (cases[i].found)
            assert_string_equal(c->reply.version, TIME);
        assert_int_equal(acts_left(), 0);
    }
}

/* Who has seen that `first` was not set need not look again, and sets further members. */
static void test_a_counter_that_was_seen(void **state) {
    static const struct act acts[] = {
        {"\"currentDocument\":{\"updateTime\":\"" TIME "\"}", ANSWER, 200,
         "{\"writeResults\":[{},{}]}"},
    };
    struct call c = {.rq = {.verb = STORE_INCREMENT,
                            .collection = "drafts",
                            .id = "a",
                            .counter = "n",
                            .also = "n_person",
                            .first = "first_at",
                            .version = TIME,
                            .now = NOW}};

    (void)state;
    c.rq.fields = json_pack("{s:{s:s}}", "last_open", "kind", "person");
    set_acts(acts, COUNT_OF(acts));
    assert_int_equal(finish(&c), ERR_NONE);
    assert_true(c.reply.found);
    assert_int_equal(acts_left(), 0);
    json_decref(c.rq.fields);
}

static void test_a_counter_that_others_change(void **state) {
    static const struct act acts[] = {
        {GET, ANSWER, 200, FOUND("\"first_at\":{\"nullValue\":null}")},
        {"\"currentDocument\":{\"updateTime\":\"" TIME "\"}", ANSWER, 400,
         ERROR("FAILED_PRECONDITION")},
        {"/opens/", ANSWER, 200, MISSING}, /* it asks for the event, too */
    };
    struct call c = {.rq = {.verb = STORE_INCREMENT,
                            .collection = "drafts",
                            .id = "a",
                            .counter = "n",
                            .first = "first_at",
                            .last = "last_at",
                            .now = NOW}};

    (void)state;
    set_acts(acts, COUNT_OF(acts));
    assert_int_equal(finish(&c), ERR_NONE);
    assert_false(c.reply.found);
    assert_int_equal(acts_left(), 0);
}

static void test_a_missing_index(void **state) {
    static const char *const members[] = {"status", "waiting"};
    static const char *const bodies[] = {
        "[{\"error\":{\"code\":400,\"message\":\"The query requires an index. You can create it "
        "here: https://console.example.com/indexes?create_composite=Abc\",\"status\":"
        "\"FAILED_PRECONDITION\"}}]",
        "[{\"error\":{\"code\":400,\"message\":\"The query requires an index.\",\"status\":"
        "\"FAILED_PRECONDITION\"}}]",
        "[{\"error\":{\"code\":400,\"message\":\"The query requires an index. That index is "
        "currently building and cannot be used yet. See its status here: "
        "https://console.example.com/indexes\",\"status\":\"FAILED_PRECONDITION\"}}]",
    };
    static const char *const told[] = {"https://console.example.com/indexes?create_composite=Abc",
                                       "--collection-group=drafts", "still building"};
    struct call c = {
        .rq = {.verb = STORE_QUERY, .collection = "drafts", .is = "pending", .limit = 1}};
    char index[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies) * COUNT_OF(members); i++) {
        const struct act act = {QUERY, ANSWER, 400, bodies[i / COUNT_OF(members)]};

        c.rq.where = members[i % COUNT_OF(members)];
        snprintf(index, sizeof(index), "drafts on %s and created_at", c.rq.where);
        set_acts(&act, 1);
        assert_int_equal(finish(&c), ERR_FIRESTORE_ERROR);
        assert_non_null(strstr(c.reply.err.message, told[i / COUNT_OF(members)]));
        assert_non_null(strstr(c.reply.err.message, index));
    }
}

/* More values than a JSON text may have: ask for fewer documents at once. */
static void test_an_answer_that_is_too_much(void **state) {
    static const struct act acts[] = {
        {"\"limit\":25", ANSWER, 200, "["},
        {"\"limit\":12", ANSWER, 200, "["},
        {"\"limit\":6", ANSWER, 200, "[{\"readTime\":\"" TIME "\"}]"},
    };
    struct call c = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 100}};

    (void)state;
    set_acts(acts, COUNT_OF(acts));
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(acts_left(), 0);
    store_reply_fini(&c.reply);
}

/* A token has just the id where created_at is no time. */
static void test_a_page_behind_what_is_gone(void **state) {
    static const char *const bodies[] = {MISSING, FOUND("")};
    struct call c = {
        .rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 1, .page_token = "AGE"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        const struct act act = {GET, ANSWER, 200, bodies[i]};

        set_acts(&act, 1);
        assert_int_equal(finish(&c), ERR_INVALID_FIELD);
        assert_string_equal(c.reply.err.field, "page_token");
        assert_int_equal(acts_left(), 0);
    }
}

static void test_what_is_refused_here(void **state) {
    struct blob *part = blob_copy("x", 1);
    static const char *const own[] = {"_paraph"};
    const struct {
        struct store_request rq;
        const char *fields, *field;
    } cases[] = {
        {{.verb = STORE_GET, .collection = "drafts", .id = ".."}, NULL, "id"},
        {{.verb = STORE_GET, .collection = "drafts", .id = "__x__"}, NULL, "id"},
        {{.verb = STORE_GET, .collection = "a/b", .id = "a"}, NULL, "collection"},
        {{.verb = STORE_QUERY, .collection = "", .limit = 1}, NULL, "collection"},
        {{.verb = STORE_QUERY, .collection = "drafts", .limit = 1, .page_token = "none"},
         NULL,
         "page_token"},
        {{.verb = STORE_CREATE, .collection = "drafts", .id = "a"},
         "{\"metadata\":{\"a\":[{\"__b__\":1}]}}",
         "metadata.a[0].__b__"},
        {{.verb = STORE_UPDATE, .collection = "drafts", .id = "a"}, "{\"_paraph\":{}}", "_paraph"},
        {{.verb = STORE_UPDATE, .collection = "drafts", .id = "a", .remove = own, .nremove = 1},
         "{}",
         "_paraph"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct call c = {.rq = cases[i].rq};

        c.rq.fields = cases[i].fields == NULL ? NULL : json_loads(cases[i].fields, 0, NULL);
        assert_int_equal(finish(&c), ERR_INVALID_FIELD);
        assert_string_equal(c.reply.err.field, cases[i].field);
        json_decref(c.rq.fields);
    }
    blob_unref(part);
}

/* --- without the emulator -------------------------------------------------------------------- */

/* Two operations wait for the project, and one token does for both; the next one waits no more. */
static void test_project_of_the_metadata_server(void **state) {
    static const char name[] = "projects/found-out/databases/(default)/documents/drafts/a";
    static const struct act acts[] = {
        {"/project/project-id", ANSWER, 200, "found-out"},
        {"/token", ANSWER, 200, "{\"access_token\":\"t\",\"expires_in\":3600}"},
        {name, ANSWER, 503, ERROR("UNAVAILABLE")},
        {"Authorization: Bearer t", ANSWER, 200, WRITTEN},
        {name, ANSWER, 200, WRITTEN},
        {name, ANSWER, 200, WRITTEN},
    };
    struct call calls[2] = {0};
    static char url[64];
    struct err e = {0};

    (void)state;
    store_fini();
    snprintf(url, sizeof(url), "http://%s", env.firestore_emulator_host);
    env.gce_metadata_host = env.firestore_emulator_host;
    env.firestore_emulator_host = NULL;
    env.firestore_url = url;
    assert_int_equal(auth_init(&e), 0);
    open_store();
    set_acts(acts, COUNT_OF(acts));
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        calls[i].rq = (struct store_request){
            .verb = STORE_CREATE, .collection = "drafts", .id = "a", .fields = json_object()};
        begin(&calls[i]);
    }
    wait_for_all();
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_string_equal(calls[i].reply.err.message, "");
        json_decref(calls[i].rq.fields);
    }
    assert_created("a", "{}");
    assert_int_equal(acts_left(), 0);

    store_fini();
    auth_fini();
    env.gce_metadata_host = NULL;
    open_store();
}

static void test_no_project(void **state) {
    static const struct act acts[] = {{"/project/project-id", ANSWER, 404, "no"}};
    struct err e = {0};

    (void)state;
    store_fini();
    env.gce_metadata_host = env.firestore_emulator_host;
    env.firestore_emulator_host = NULL;
    assert_int_equal(auth_init(&e), 0);
    open_store();
    set_acts(acts, COUNT_OF(acts));
    assert_int_equal(get("a")->reply.err.code, ERR_AUTH_ERROR);
    assert_false(got.reply.found);
    auth_fini();
    env.gce_metadata_host = NULL;
}

/* --- the end --------------------------------------------------------------------------------- */

static void start_held(struct call *calls, size_t n) {
    static const struct act acts[] = {
        {NULL, HOLD, 0, NULL}, {NULL, HOLD, 0, NULL}, {NULL, HOLD, 0, NULL}, {NULL, HOLD, 0, NULL}};

    set_acts(acts, COUNT_OF(acts));
    for (size_t i = 0; i < n; i++) {
        calls[i].rq = (struct store_request){
            .verb = i % 2 == 0 ? STORE_GET : STORE_DELETE, .collection = "drafts", .id = "a"};
        begin(&calls[i]);
        assert_non_null(calls[i].handle);
    }
    while (count_held() < n)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
}

static void test_cancel(void **state) {
    struct call calls[4] = {0};

    (void)state;
    start_held(calls, COUNT_OF(calls));
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        store_cancel(&calls[i].handle);
        assert_null(calls[i].handle);
    }
    waiting = 0;
    for (size_t i = 0; i < 20; i++)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        assert_int_equal(calls[i].dones, 0);
}

static void test_shutting_down(void **state) {
    struct call calls[4] = {0}, late = {.rq = {.verb = STORE_GET, .collection = "c", .id = "a"}};

    (void)state;
    start_held(calls, COUNT_OF(calls));
    store_fini();
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_int_equal(calls[i].dones, 1);
        assert_int_equal(calls[i].reply.err.code, ERR_SHUTTING_DOWN);
    }
    assert_int_equal(finish(&late), ERR_SHUTTING_DOWN);
    waiting = 0;
    open_store();
}

int main(void) {
#define OPEN(f) cmocka_unit_test_setup_teardown(f, set_up_firestore, tear_down_firestore)
    const struct CMUnitTest emulated[] = {
        OPEN(test_create_and_get),
        OPEN(test_create_twice),
        OPEN(test_collections_are_apart),
        OPEN(test_ids),
        OPEN(test_update),
        OPEN(test_precondition),
        OPEN(test_every_write_changes_the_version),
        OPEN(test_delete),
        OPEN(test_documents_of_others),
        OPEN(test_increment),
        OPEN(test_increment_and_append),
        OPEN(test_many_count_at_once),
        OPEN(test_parts),
        OPEN(test_parts_of_a_refused_write),
        OPEN(test_slices_left_behind),
        OPEN(test_a_lost_slice),
        OPEN(test_query_order),
        OPEN(test_count),
        OPEN(test_query_before),
        OPEN(test_query_while_documents_come_and_go),
        OPEN(test_query_with_odd_times),
        OPEN(test_long_listings),
        OPEN(test_a_page_of_large_documents_ends_early),
        OPEN(test_a_create_whose_answer_is_lost),
        OPEN(test_an_update_whose_answer_is_lost),
        OPEN(test_an_open_whose_answer_is_lost),
        OPEN(test_parts_whose_answers_are_lost),
        OPEN(test_slices_swept_too_early),
    };
    const struct CMUnitTest canned[] = {
        OPEN(test_a_fault_that_passes),
        OPEN(test_a_fault_that_stays),
        OPEN(test_a_refused_write),
        OPEN(test_a_counter_that_was_seen),
        OPEN(test_a_counter_that_others_change),
        OPEN(test_a_missing_index),
        OPEN(test_an_answer_that_is_too_much),
        OPEN(test_a_page_behind_what_is_gone),
        OPEN(test_what_is_refused_here),
        OPEN(test_project_of_the_metadata_server),
        OPEN(test_no_project),
        OPEN(test_cancel),
        OPEN(test_shutting_down),
    };
    int failures;

    server_start();
    failures = cmocka_run_group_tests_name("firestore, canned", canned, NULL, NULL);
    if (emulator_start())
        failures += cmocka_run_group_tests_name("firestore, emulated", emulated, NULL, NULL);
    emulator_stop();
    server_stop();
    return failures;
}
