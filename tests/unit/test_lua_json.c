#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"
#include "blob.h"
#include "json_text.h"
#include "lua_blob.h"
#include "lua_json.h"

static int setup(void **state) {
    lua_State *L = luaL_newstate();

    assert_non_null(L);
    luaL_openlibs(L);
    luaL_requiref(L, "paraph.blob", lua_blob_open, 0);
    luaL_requiref(L, "json", lua_json_open, 1);
    lua_settop(L, 0);
    *state = L;
    return 0;
}

static int teardown(void **state) {
    lua_close(*state);
    return 0;
}

static void run(lua_State *L, const char *chunk) {
    if (luaL_dostring(L, chunk) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
}

static json_t *parse(const char *text) {
    struct err e;
    json_t *j = json_text_parse(text, strlen(text), LUA_JSON_DEPTH, &e);

    if (j == NULL)
        fail_msg("%s: %s", text, e.message);
    return j;
}

/* Tree to Lua, and from there to a tree and to text. */
static void test_round_trips(void **state) {
    static const struct {
        const char *text, *encoded; /* NULL: the same */
    } cases[] = {
        {"null", NULL},
        {"true", NULL},
        {"false", NULL},
        {"-9223372036854775808", NULL},
        {"9223372036854775807", NULL},
        {"3", NULL},
        {"3.0", NULL},
        {"-0.0", NULL},
        {"1E2", "100.0"},
        {"0.1", NULL},
        {"\"\"", NULL},
        {"\"a\\u0000\\n\\u001f\xc3\xa9\"", NULL},
        {"[]", NULL},
        {"{}", NULL},
        {"[[],{},[null]]", NULL},
        {"{\"b\":1,\"a\":[1,2.5],\"\":null,\"ab\":{},\"B\":[]}",
         "{\"\":null,\"B\":[],\"a\":[1,2.5],\"ab\":{},\"b\":1}"},
    };
    lua_State *L = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *want = cases[i].encoded != NULL ? cases[i].encoded : cases[i].text;
        json_t *tree = parse(cases[i].text), *back;
        struct err e;
        struct buf out;

        lua_json_push(L, tree);
        assert_int_equal(lua_gettop(L), 1);
        back = lua_json_read(L, -1, &e);
        assert_non_null(back);
        assert_true(json_equal(tree, back));
        buf_init(&out, KIB);
        assert_int_equal(lua_json_encode(L, 1, &out, &e), 0);
        assert_string_equal(out.data, want);
        assert_int_equal(lua_gettop(L), 1);
        lua_settop(L, 0);
        buf_free(&out);
        json_decref(back);
        json_decref(tree);
    }
}

static void test_misuse(void **state) {
    static const struct {
        const char *value, *field, *message;
    } cases[] = {
        {"print", "", "JSON has no function"},
        {"{ a = { 1, print } }", "a[1]", "a[1]: JSON has no function"},
        {"{ a = io.stdout }", "a", "a: JSON has no userdata"},
        {"{ a = coroutine.create(print) }", "a", "a: JSON has no thread"},
        {"{ a = 0/0 }", "a", "a: JSON has no NaN and no infinity"},
        {"{ { -math.huge } }", "[0][0]", "[0][0]: JSON has no NaN and no infinity"},
        {"{ s = 'ab\\xFF' }", "s", "s: a string is not UTF-8 from its byte 3 on"},
        {"{ o = { ['\\xFF'] = 1 } }", "o", "o: a string is not UTF-8 from its byte 1 on"},
        {"{ ['a\\0b'] = 1 }", "", "the name of a member contains NUL"},
        {"{ l = { 1, nil, 3 } }", "l",
         "l: a table must have either the keys 1 to n or only strings as keys"},
        {"{ 1, a = 2 }", "", "a table must have either the keys 1 to n or only strings as keys"},
        {"{ [5] = 1 }", "", "a table must have either the keys 1 to n or only strings as keys"},
        {"{ [0] = 1 }", "", "a table must have either the keys 1 to n or only strings as keys"},
        {"{ [1.5] = 1 }", "", "a table must have either the keys 1 to n or only strings as keys"},
        {"{ [true] = 1 }", "", "a table must have either the keys 1 to n or only strings as keys"},
        {"setmetatable({ a = 1 }, json.array_mt)", "",
         "a table must have either the keys 1 to n or only strings as keys"},
        {"setmetatable({ [2] = 1 }, json.array_mt)", "",
         "a table must have either the keys 1 to n or only strings as keys"},
    };
    lua_State *L = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char chunk[128];
        struct err e = {.code = ERR_NONE};

        snprintf(chunk, sizeof(chunk), "return %s", cases[i].value);
        run(L, chunk);
        assert_null(lua_json_read(L, 1, &e));
        assert_int_equal(e.code, ERR_INVALID_FIELD);
        assert_string_equal(e.field, cases[i].field);
        assert_string_equal(e.message, cases[i].message);
        assert_int_equal(lua_gettop(L), 1);
        lua_settop(L, 0);
    }
}

static void test_cycles_and_depth(void **state) {
    lua_State *L = *state;
    struct err e;

    run(L, "local t = {} t.t = t return t");
    assert_null(lua_json_read(L, 1, &e));
    assert_non_null(strstr(e.message, "nested deeper than 64 levels, or contains itself"));
    lua_settop(L, 0);
    run(L, "local function nest(n) local t = {} for _ = 2, n do t = { t } end return t end\n"
           "assert(json.encode(nest(64)) == ('['):rep(63) .. '{}' .. (']'):rep(63))\n"
           "assert(not pcall(json.encode, nest(65)))\n"
           "assert(#json.encode(nest(256), { max_depth = 256 }) == 512)\n"
           "assert(not pcall(json.encode, nest(257), { max_depth = 256 }))\n"
           "assert(json.decode(('['):rep(64) .. (']'):rep(64)))\n"
           "local v, err = json.decode(('['):rep(65) .. (']'):rep(65))\n"
           "assert(v == nil and err.code == 'malformed_json')\n"
           "assert(err.message:find('line 1, column 65: it is nested deeper than 64', 1, true))\n"
           "assert(json.decode(('['):rep(256) .. (']'):rep(256), { max_depth = 256 }))\n");
}

static void test_text_ceiling(void **state) {
    lua_State *L = *state;
    struct buf out;
    struct err e;

    run(L, "return { 'aaaaaaaaaa', 'bbbbbbbbbb' }");
    for (size_t max = 0; max <= 27; max++) {
        buf_init(&out, max);
        assert_int_equal(lua_json_encode(L, 1, &out, &e), max < 27 ? -1 : 0);
        if (max < 27)
            assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
        buf_free(&out);
    }
}

/* A table that is in many places of a value is written at each, but not without end. */
static void test_values_ceiling(void **state) {
    lua_State *L = *state;
    struct buf out;
    struct err e;

    run(L, "local t = {} for _ = 1, 60 do t = { t, t } end return t");
    buf_init(&out, LUA_JSON_TEXT_MAX);
    assert_int_equal(lua_json_encode(L, 1, &out, &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(e.message, "the JSON text would have more than 250000 values");
    buf_free(&out);
}

static void count_release(void *counter) {
    ++*(int *)counter;
}

/* Blobs are strings in JSON, whatever becomes of the text. */
static void test_blobs_in(void **state) {
    static const char text[] = "\"quoted\" \xc3\xa9";
    lua_State *L = *state;
    struct blob *b;
    json_t *tree;
    struct err e;
    int released = 0;

    b = blob_wrap(text, sizeof(text) - 1, count_release, &released);
    lua_newtable(L);
    lua_blob_push(L, b);
    blob_unref(b);
    lua_setfield(L, 1, "b");
    tree = lua_json_read(L, 1, &e);
    assert_string_equal(json_string_value(json_object_get(tree, "b")), text);
    json_decref(tree);
    b = blob_wrap("\xff", 1, NULL, NULL);
    lua_blob_push(L, b);
    blob_unref(b);
    assert_null(lua_json_read(L, -1, &e));
    assert_int_equal(e.code, ERR_INVALID_FIELD);
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    assert_int_equal(released, 1);
}

/* Strings on the path come out as blobs that outlive tree and text; others do not. */
static void test_blobs_out(void **state) {
    lua_State *L = *state;
    size_t len;
    const char *bytes;

    run(L, "local text = '{\"attachments\":[{\"content\":\"QUJD\\\\n\",\"name\":\"x\"},'\n"
           "  .. '{\"content\":\"\"},{\"content\":7},{\"content\":[\"a\"]},\"s\"],'\n"
           "  .. '\"content\":\"t\"}'\n"
           "local d = assert(json.decode(text, { blobs = 'attachments.*.content' }))\n"
           "local a = d.attachments\n"
           "assert(type(a[1].content) == 'userdata' and a[1].content:string() == 'QUJD\\n')\n"
           "assert(type(a[2].content) == 'userdata' and #a[2].content == 0)\n"
           "assert(a[1].name == 'x' and a[3].content == 7)\n"
           "assert(a[4].content[1] == 'a' and a[5] == 's')\n"
           "assert(d.content == 't')\n"
           "assert(json.encode(a[1]) == '{\"content\":\"QUJD\\\\n\",\"name\":\"x\"}')\n"
           "assert(type(json.decode('\"a\"', { blobs = '*' })) == 'string')\n"
           "assert(type(json.decode('[\"a\"]', { blobs = '*' })[1]) == 'userdata')\n"
           "assert(type(json.decode('{\"x\":\"a\"}', { blobs = '*' }).x) == 'userdata')\n"
           "assert(type(json.decode('{\"x\":[\"a\"]}', { blobs = 'x' }).x[1]) == 'string')\n"
           "assert(type(json.decode('{\"xy\":\"a\"}', { blobs = 'x' }).xy) == 'string')\n"
           "return a[1].content\n");
    lua_gc(L, LUA_GCCOLLECT);
    bytes = lua_blob_bytes(L, 1, &len);
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "QUJD\n", 5);
}

/* Memory runs out at every allocation of a call in turn: it raises, and nothing is lost
 * (LeakSanitizer looks). */
struct meter {
    long allocations; /* that still succeed; < 0: all */
};

static void *metered_alloc(void *ud, void *p, size_t old, size_t size) {
    struct meter *m = ud;

    if (size == 0) {
        free(p);
        return NULL;
    }
    if (p == NULL || size > old) {
        if (m->allocations == 0)
            return NULL;
        if (m->allocations > 0)
            m->allocations--;
    }
    return realloc(p, size);
}

static int l_round_trip(lua_State *L) {
    lua_getfield(L, 1, "decode");
    lua_pushstring(L,
                   "{\"a\":[1,{\"content\":\"a string that is longer than forty characters are\"}],"
                   "\"b\":\"x\",\"a name that is longer than forty characters are\":null}");
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "a.*.content");
    lua_setfield(L, -2, "blobs");
    lua_call(L, 2, 1);
    lua_getfield(L, 1, "encode");
    lua_pushvalue(L, -2);
    lua_call(L, 1, 1);
    return 1;
}

static void test_out_of_memory(void **state) {
    struct meter m = {.allocations = -1};
    lua_State *L = lua_newstate(metered_alloc, &m);
    int status = LUA_ERRMEM;
    long n = 0;

    (void)state;
    assert_non_null(L);
    luaL_requiref(L, "paraph.blob", lua_blob_open, 0);
    luaL_requiref(L, "json", lua_json_open, 0);
    lua_gc(L, LUA_GCSTOP);
    for (; status == LUA_ERRMEM && n < 1000; n++) {
        lua_settop(L, 2);
        lua_pushcfunction(L, l_round_trip);
        lua_pushvalue(L, 2);
        lua_gc(L, LUA_GCCOLLECT);
        m.allocations = n;
        status = lua_pcall(L, 1, 1, 0);
        m.allocations = -1;
    }
    assert_int_equal(status, LUA_OK);
    assert_true(n > 20);
    lua_close(L);
}

/* Memory for the tree runs out at every part of it in turn. */
static long parts_left; /* < 0: all succeed */

static void *counted_malloc(size_t size) {
    if (parts_left == 0)
        return NULL;
    if (parts_left > 0)
        parts_left--;
    return malloc(size);
}

static void test_no_memory_for_the_tree(void **state) {
    lua_State *L = *state;
    json_t *tree = NULL;
    struct err e;
    long n = 0;

    run(L,
        "return { a = { 1, 2.5, { content = 'text' } }, b = 'x', c = { {}, {} }, d = json.null }");
    json_set_alloc_funcs(counted_malloc, free);
    for (; tree == NULL && n < 1000; n++) {
        parts_left = n;
        tree = lua_json_read(L, 1, &e);
        if (tree == NULL)
            assert_string_equal(e.message, "not enough memory for the JSON document");
        assert_int_equal(lua_gettop(L), 1);
    }
    json_decref(tree);
    json_set_alloc_funcs(malloc, free);
    assert_non_null(tree);
    assert_true(n > 20);
}

static void test_module(void **state) {
    run(*state,
        "assert(json.null == json.decode('null') and json.decode('[null]')[1] == json.null)\n"
        "assert(json.encode(json.empty_array) == '[]' and json.encode({}) == '{}')\n"
        "assert(json.encode(setmetatable({}, json.array_mt)) == '[]')\n"
        "assert(getmetatable(json.decode('[]')) == json.array_mt)\n"
        "assert(getmetatable(json.decode('{}')) == nil)\n"
        "assert(json.encode(nil) == 'null')\n"
        "assert(math.type(json.decode('42')) == 'integer')\n"
        "assert(math.type(json.decode('42.0')) == 'float')\n"
        "assert(not pcall(function() json.array_mt.__gc = print end))\n"
        "assert(json.encode({ a = { 1, {} }, b = {} }, { indent = 2 }) ==\n"
        "  '{\\n  \"a\": [\\n    1,\\n    {}\\n  ],\\n  \"b\": {}\\n}')\n"
        "local function raises(want, ...)\n"
        "  local ok, why = pcall(...)\n"
        "  assert(not ok and tostring(why):find(want, 1, true), why)\n"
        "end\n"
        "raises('bad argument #1', json.decode)\n"
        "raises('bad argument #1', json.decode, {})\n"
        "raises('bad argument #1', json.decode, 12)\n"
        "raises('bad argument #2', json.decode, '1', 'x')\n"
        "raises('bad argument #1', json.encode)\n"
        "raises('unknown option pretty', json.encode, 1, { pretty = true })\n"
        "raises('unknown option blobs', json.encode, 1, { blobs = 'a' })\n"
        "raises('unknown option 1', json.decode, '1', { 'a' })\n"
        "raises('option indent must be an integer from 0 to 8', json.encode, 1, { indent = 9 })\n"
        "raises('option max_depth must be', json.decode, '1', { max_depth = 0 })\n"
        "raises('option max_depth must be', json.decode, '1', { max_depth = 'x' })\n"
        "raises('option blobs must be a path', json.decode, '1', { blobs = '' })\n"
        "raises('option blobs must be a path', json.decode, '1', { blobs = 1 })\n"
        "local v, err = json.decode('{\"ids\":[1,1e999]}')\n"
        "assert(v == nil and err.code == 'invalid_field' and err.field == 'ids[1]')\n"
        "assert(err.message ==\n"
        "  'ids[1]: the number 1e999 cannot be carried exactly; send it as a string')\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trips, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cycles_and_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_ceiling, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_ceiling, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blobs_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blobs_out, setup, teardown),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test_setup_teardown(test_no_memory_for_the_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(test_module, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
