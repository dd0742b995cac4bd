--- Values as people read them.

local expect = require "lib.expect"
local inspect = require "prompt.inspect"
local json = require "paraph.json"
local testing = require "paraph.testing"

local tests = {}

local cyclic = { name = "a" }
cyclic.self = cyclic

tests.values = testing.cases({
  { value = nil, text = "nil" },
  { value = true, text = "true" },
  { value = 1.5, text = "1.5" },
  { value = "é\n\"\\\0\27", text = [["é\n\"\\\000\027"]] },
  { value = {}, text = "{}" },
  { value = { 1, 2, a = "b" }, text = '{ 1, 2, a = "b" }' },
  { value = { ["end"] = 1, ["a b"] = 2, [0] = 3 }, text = '{ [0] = 3, ["a b"] = 2, ["end"] = 1 }' },
  { value = json.null, text = "json.null" },
  { value = cyclic, text = '{ name = "a", self = <the same again> }' },
}, function(row) expect.equal(inspect.value(row.value, 80), row.text) end)

tests["what does not fit stands on lines of its own"] = function()
  local value = { text = ("x"):rep(30), list = { 1, 2, 3 }, deep = { a = ("y"):rep(36) } }
  expect.equal(inspect.value(value, 40), ([[
{
  deep = {
    a = "%s"
  },
  list = { 1, 2, 3 },
  text = "%s"
}]]):format(("y"):rep(36), ("x"):rep(30)))
end

tests["nothing is shown without end"] = function()
  local long, deep = {}, {}
  for i = 1, 100000 do long[i] = i end
  local text = inspect.value(long, 80)
  expect.holds(text, "… 99950 more")
  expect.equal(#text < 2000, true)
  local at = deep
  for _ = 1, 1000 do
    at.next = {}
    at = at.next
  end
  expect.holds(inspect.value(deep, 80), "{…}")
  expect.holds(inspect.value(("é"):rep(100000), 80), "… (200000 bytes)")
end

tests["a function says where it is"] = function()
  expect.holds(inspect.value(expect.holds, 80), "function lib/expect.lua:")
end

return tests
