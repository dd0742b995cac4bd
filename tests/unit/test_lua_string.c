#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"

/* A state where `string` is ours and `original` is Lua's. */
static int setup(void **state) {
    lua_State *L = luaL_newstate();

    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "original = {}\n"
                                      "for k, v in pairs(string) do original[k] = v end"),
                     LUA_OK);
    assert_int_equal(lua_string_open(L), 1);
    lua_getglobal(L, "string");
    assert_true(lua_rawequal(L, -1, -2));
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

static void test_same_as_lua(void **state) {
    lua_State *L = *state;

    if (luaL_dofile(L, TESTS_DIR "/unit/lua_string.lua") != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
}

static void test_budget(void **state) {
    run(*state,
        "local a = ('a'):rep(100000)\n"
        "local hostile = {\n"
        "  function() return ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30) .. 'b') end,\n"
        "  function() return ('a'):rep(31):match(('.-'):rep(12) .. 'b') end,\n"
        "  function() return a:find('a*a*b') end,\n"
        "  function() return a:find('.-b') end,\n"
        "  function() return a:find('(.-)%1b') end,\n"
        "  function() return ('('):rep(100000):find('%b()') end,\n"
        "  function() return a:find('(b?)' .. ('%1'):rep(100000) .. 'c') end,\n"
        "  function() return a:find('[' .. ('b'):rep(100000) .. ']') end,\n"
        "  function() return a:gsub('a*b', '') end,\n"
        "  function() return a:gsub('', ('%%'):rep(50000)) end,\n"
        "  function() return a:gsub('()', ('%1'):rep(50000)) end,\n"
        "  function() for _ in a:gmatch('a-b') do end end,\n"
        "}\n"
        "for i, f in ipairs(hostile) do\n"
        "  local started = os.clock()\n"
        "  local ok, why = pcall(f)\n"
        "  assert(not ok, i)\n"
        "  assert(why:find('pattern too complex (', 1, true), i .. ': ' .. why)\n"
        "  assert(os.clock() - started < 2, i)\n"
        "end\n");
}

/* What scripts do with large texts stays within the budget. */
static void test_large_subjects(void **state) {
    run(*state,
        "local line = 'The quick brown fox, <b>jumps</b> & 1234567890 \\xC3\\xA9.\\r\\n'\n"
        "local text = line:rep(20000)\n"
        "local function same(name, ...)\n"
        "  local want, got = { original[name](text, ...) }, { string[name](text, ...) }\n"
        "  for i = 1, #want do assert(want[i] == got[i], name) end\n"
        "end\n"
        "same('gsub', '[^%w%-%._~]', function(c) return original.format('%%%02X', c:byte()) end)\n"
        "same('gsub', '[&<>\"\\']', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;' })\n"
        "same('gsub', '\\r?\\n', '<br>\\n')\n"
        "same('gsub', '%s+$', '')\n"
        "same('gsub', '.', '%0%0')\n"
        "same('match', '^%s*(.-)%s*$')\n"
        "same('find', 'no such text')\n"
        "same('find', '<(%a+)>[^<]*</%1>%?')\n"
        "local lines = 0\n"
        "for _ in text:gmatch('[^\\r\\n]+') do lines = lines + 1 end\n"
        "assert(lines == 20000)\n"
        "assert(not ('a'):rep(1000000):find(('a'):rep(500000) .. 'b', 1, true))\n"
        "assert(('a'):rep(1000000):find(('a'):rep(500000)) == 1)\n");
}

static void test_limits(void **state) {
    run(*state, "assert(#('x'):rep(16 << 20) == 16 << 20)\n"
                "assert(('ab'):rep(3 << 20, '-'):sub(-6) == '-ab-ab')\n"
                "assert((''):rep(math.maxinteger) == '')\n"
                "for _, f in ipairs {\n"
                "  function() return ('x'):rep((16 << 20) + 1) end,\n"
                "  function() return ('xy'):rep(math.maxinteger) end,\n"
                "  function() return (''):rep(math.maxinteger, 'x') end,\n"
                "  function() return ('x'):rep(8 << 20, 'yz') end,\n"
                "} do\n"
                "  local ok, why = pcall(f)\n"
                "  assert(not ok and why:find('resulting string too large', 1, true), why)\n"
                "end\n"
                "assert(string.dump == nil)\n"
                "assert(string.format == original.format)\n");
}

/* The iterator keeps its strings, and captures survive a collection in a callback. */
static void test_collections(void **state) {
    run(*state,
        "local iterate = string.gmatch(('ab,'):rep(100) .. tostring({}), '(%a)(%a)')\n"
        "local n = 0\n"
        "for a, b in iterate do collectgarbage() assert(a .. b == 'ab' or n >= 100) n = n + 1 end\n"
        "assert(n >= 100)\n"
        "local s = ('k=v;'):rep(50):gsub('(%a)=(%a)', function(k, v)\n"
        "  collectgarbage()\n"
        "  return v:gsub('.', k .. '%0')\n"
        "end)\n"
        "assert(s == ('kv;'):rep(50))\n"
        "assert(not pcall(string.gsub, 'abc', '(.)', function() error('stop') end))\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_as_lua, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_subjects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_collections, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
