#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"

/* Both do the same to two tables, to the end or to the error. */
static const char compare[] =
    "local function same(a, b)\n"
    "  for k, v in pairs(a) do assert(b[k] == v, k) end\n"
    "  for k, v in pairs(b) do assert(a[k] == v, k) end\n"
    "end\n"
    "local sizes = { 0, 1, 2, 5 }\n"
    "local places = { math.mininteger, -2, -1, 0, 1, 2, 3, 5, 6, 7, math.maxinteger, 1.0, 'x' }\n"
    "local function list(n)\n"
    "  local t = {}\n"
    "  for i = 1, n do t[i] = (i * 7) % 5 end\n"
    "  return t\n"
    "end\n"
    "local function try(name, n, ...)\n"
    "  local a, b = list(n), list(n)\n"
    "  local ours = table.pack(pcall(table[name], a, ...))\n"
    "  local theirs = table.pack(pcall(original[name], b, ...))\n"
    "  assert(ours.n == theirs.n and ours[1] == theirs[1], name)\n"
    "  assert(ours[2] == theirs[2] or ours[2] == a and theirs[2] == b or not ours[1], name)\n"
    "  same(a, b)\n"
    "end\n"
    "for _, n in ipairs(sizes) do\n"
    "  try('insert', n) try('insert', n, 'v') try('insert', n, 1, 'v', 'w')\n"
    "  try('remove', n) try('sort', n)\n"
    "  try('sort', n, function(x, y) return x > y end)\n"
    "  for _, p in ipairs(places) do\n"
    "    try('insert', n, p, 'v') try('remove', n, p)\n"
    "    for _, q in ipairs { -1, 0, 1, 3, 6 } do\n"
    "      for _, r in ipairs { -2, 1, 2, 4, math.maxinteger } do\n"
    "        if math.type(p) ~= 'integer' or math.abs(p) < 10 then\n"
    "          try('move', n, p, q, r) try('move', n, p, q, r, {})\n"
    "        end\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "end\n"
    "try('move', 5, 1, math.maxinteger, 2) try('move', 5, 0, math.maxinteger, 2)\n"
    "try('sort', 5, 7) try('sort', 0, 7)\n"
    "assert(not pcall(table.insert, 'x', 1) and not pcall(table.remove) )\n"
    "assert(not pcall(table.sort, { 1, 'x' }))\n";

static void test_same_as_lua(void **state) {
    lua_State *L = luaL_newstate();

    (void)state;
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "original = {}\n"
                                      "for k, v in pairs(table) do original[k] = v end"),
                     LUA_OK);
    assert_int_equal(lua_table_open(L), 1);
    lua_pop(L, 1);
    if (luaL_dostring(L, compare) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
    lua_close(L);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_lua)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
