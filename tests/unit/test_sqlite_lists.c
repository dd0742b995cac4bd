/* The arrays that grow by INCREMENT: short ones, long ones, and on the way from one to the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

enum { MANY = 30 };

/* Count at `n` and append to `l`; the code. */
static enum err_code append(const char *id, const char *value) {
    struct call c = {
        .rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = id, .counter = "n"}};
    enum err_code code;

    c.rq.append = json_pack("{s:o}", "l", json_loads(value, JSON_DECODE_ANY, NULL));
    assert_non_null(c.rq.append);
    code = finish(&c);
    assert_true(code != ERR_NONE || c.reply.found);
    json_decref(c.rq.append);
    return code;
}

static void append_many(const char *id, unsigned from, unsigned to) {
    char value[32];

    for (unsigned i = from; i <= to; i++) {
        snprintf(value, sizeof(value), "{\"i\":%u}", i);
        assert_int_equal(append(id, value), ERR_NONE);
    }
}

/* {"l":[{"i":1},...,{"i":to}],"n":n} */
static const char *counted(unsigned to, unsigned n) {
    static char text[1024];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\"l\":[");

    for (unsigned i = 1; i <= to; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s{\"i\":%u}", i > 1 ? "," : "", i);
    snprintf(text + len, sizeof(text) - len, "],\"n\":%u}", n);
    return text;
}

static void test_it_is_one_array_however_long(void **state) {
    (void)state;
    assert_created("a", "{}");
    for (unsigned i = 1; i <= MANY; i++) {
        append_many("a", i, i);
        assert_document("a", counted(i, i));
    }
    assert_int_equal(count_rows("element"), MANY);
    reopen_store();
    assert_document("a", counted(MANY, MANY));
}

static void test_an_equal_element_is_not_added(void **state) {
    static const char *const equal[] = {"{\"i\":1}", "{\"i\":30}", "{\"b\":[2],\"a\":1}",
                                        "{\"a\":1,\"b\":[2]}"};

    (void)state;
    assert_created("a", "{}");
    append_many("a", 1, MANY);
    for (size_t i = 0; i < COUNT_OF(equal); i++)
        assert_int_equal(append("a", equal[i]), ERR_NONE);
    assert_int_equal(count_rows("element"), MANY + 1);
    assert_int_equal(json_integer_value(json_object_get(get("a")->reply.fields, "n")), MANY + 4);
}

/* What somebody wrote as a whole, with an element twice. */
static void test_an_array_that_came_as_a_whole(void **state) {
    (void)state;
    assert_created("a", "{\"l\":[5,5,1,2,3,4,\"x\",null,[]],\"m\":[1]}");
    assert_int_equal(append("a", "5"), ERR_NONE);
    assert_document("a", "{\"l\":[5,5,1,2,3,4,\"x\",null,[]],\"m\":[1],\"n\":1}");
    assert_int_equal(append("a", "6"), ERR_NONE);
    assert_int_equal(count_rows("element"), 10);
    assert_document("a", "{\"l\":[5,5,1,2,3,4,\"x\",null,[],6],\"m\":[1],\"n\":2}");
}

static void test_a_long_array_is_replaced(void **state) {
    static const char *const gone[] = {"l"};
    struct call remove = {
        .rq = {
            .verb = STORE_UPDATE, .collection = "drafts", .id = "a", .remove = gone, .nremove = 1}};
    struct call set = {
        .rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = "a", .counter = "n"}};

    (void)state;
    assert_created("a", "{}");
    append_many("a", 1, MANY);
    write_json(STORE_UPDATE, "a", NULL, "{\"l\":[7],\"n\":0}");
    assert_document("a", "{\"l\":[7],\"n\":0}");
    assert_int_equal(append("a", "8"), ERR_NONE);
    assert_document("a", "{\"l\":[7,8],\"n\":1}");

    append_many("a", 1, MANY);
    assert_int_equal(finish(&remove), ERR_NONE);
    write_json(STORE_UPDATE, "a", NULL, "{\"n\":0}");
    assert_document("a", "{\"n\":0}");

    append_many("a", 1, MANY);
    set.rq.fields = json_pack("{s:s}", "l", "none");
    assert_int_equal(finish(&set), ERR_NONE);
    json_decref(set.rq.fields);
    assert_document("a", "{\"l\":\"none\",\"n\":31}");
    assert_int_equal(count_rows("element"), 0);
}

static void test_a_get_can_leave_it_out(void **state) {
    static const char *const wants[] = {"{\"n\":3,\"to\":\"ann\"}", "{\"n\":30,\"to\":\"ann\"}"};
    struct call c = {.rq = {.verb = STORE_GET, .collection = "drafts", .id = "a", .without = "l"}};
    char *text;

    (void)state;
    assert_created("a", "{\"to\":\"ann\"}");
    for (size_t i = 0; i < 2; i++) {
        append_many("a", i == 0 ? 1 : 4, i == 0 ? 3 : MANY);
        assert_int_equal(finish(&c), ERR_NONE);
        text = json_dumps(c.reply.fields, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, wants[i]);
        assert_string_equal(c.reply.version, get("a")->reply.version);
        free(text);
    }
    c.rq.without = "m"; /* there is none */
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(json_array_size(json_object_get(c.reply.fields, "l")), MANY);
    store_reply_fini(&c.reply);
}

static void test_a_listing_has_it(void **state) {
    struct call c = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 10}};
    char *text;

    (void)state;
    assert_created("a", "{}");
    assert_created("b", "{}");
    append_many("a", 1, MANY);
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.ndocs, 2);
    assert_int_equal(json_object_size(c.reply.docs[0].fields), 0); /* b comes first */
    text = json_dumps(c.reply.docs[1].fields, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, counted(MANY, MANY));
    free(text);
    store_reply_fini(&c.reply);
}

static void test_it_goes_with_its_document(void **state) {
    (void)state;
    assert_created("a", "{}");
    append_many("a", 1, MANY);
    write_json(STORE_DELETE, "a", NULL, NULL);
    assert_int_equal(count_rows("element"), 0);
    assert_created("a", "{}");
    assert_document("a", "{}");
}

/* Of a write that fails after its first statement nothing stays, nor of those in its group. */
static void test_a_failure_halfway(void **state) {
    struct call neighbour = {.rq = {.verb = STORE_CREATE, .collection = "drafts", .id = "b"}};
    sqlite3 *lock;

    (void)state;
    assert_created("a", "{}");
    append_many("a", 1, MANY);
    edit_database("CREATE TRIGGER refuse BEFORE UPDATE OF body ON document"
                  " BEGIN SELECT RAISE(ABORT, 'refused'); END");
    lock = hold_lock();
    begin(&neighbour);
    release_lock(lock);
    assert_int_equal(append("a", "0"), ERR_STORE_ERROR);
    assert_int_equal(get("b")->reply.found, neighbour.reply.err.code == ERR_NONE);
    assert_document("a", counted(MANY, MANY));
    assert_int_equal(count_rows("element"), MANY);
    edit_database("DROP TRIGGER refuse");
    append_many("a", MANY + 1, MANY + 1);
    assert_document("a", counted(MANY + 1, MANY + 1));
}

static void test_elements_that_are_no_json(void **state) {
    (void)state;
    assert_created("a", "{}");
    append_many("a", 1, MANY);
    edit_database("UPDATE element SET value = '{' WHERE value = '{\"i\":9}'");
    assert_int_equal(get("a")->reply.err.code, ERR_STORE_ERROR);
    assert_non_null(strstr(got.reply.err.message, "drafts/a"));
    write_json(STORE_UPDATE, "a", NULL, "{\"l\":[]}");
    assert_document("a", "{\"l\":[],\"n\":30}");
}

int main(void) {
#define OPEN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OPEN(test_it_is_one_array_however_long),  OPEN(test_an_equal_element_is_not_added),
        OPEN(test_an_array_that_came_as_a_whole), OPEN(test_a_long_array_is_replaced),
        OPEN(test_a_get_can_leave_it_out),        OPEN(test_a_listing_has_it),
        OPEN(test_it_goes_with_its_document),     OPEN(test_a_failure_halfway),
        OPEN(test_elements_that_are_no_json),
    };

    return cmocka_run_group_tests_name("sqlite lists", tests, NULL, NULL);
}
