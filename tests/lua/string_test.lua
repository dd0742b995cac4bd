local expect = require "lib.expect"

local tests = {}

--- Patterns that Lua's own functions would work on for minutes or years.
local hostile = {
  ["optional letters"] = function()
    return ("a"):rep(30):find(("a?"):rep(30) .. ("a"):rep(30) .. "b")
  end,
  ["shortest runs"] = function() return ("a"):rep(100):match((".-"):rep(20) .. "b") end,
  ["longest runs"] = function() return ("a"):rep(20000):gsub("a*a*b", "") end,
  ["balanced pairs"] = function() return ("("):rep(20000):find("%b()") end,
  ["an iterator"] = function() return ("a"):rep(20000):gmatch("a-b")() end,
}

for name, f in pairs(hostile) do
  tests["a pattern without end is stopped: " .. name] = function()
    local ok, why = pcall(f)
    assert(not ok)
    expect.holds(why, "pattern too complex")
  end
end

tests["a budget is for one call"] = function()
  local text = ("a"):rep(120)
  for _ = 1, 12 do -- together more than one call may cost
    expect.equal(text:find(".-.-b"), nil)
  end
end

tests["ordinary patterns work as ever"] = function()
  expect.equal({ ("key = value"):match("^(%w+)%s*=%s*(%w+)$") }, { "key", "value" })
  expect.equal({ ("a,b,,c"):gsub(",", ";", 2) }, { "a;b;,c", 2 })
  expect.equal(("THE (quick) fox"):find("%((%a+)%)"), 5)
  expect.equal(("hello world"):gsub("%w+", "<%0>"), "<hello> <world>")
  expect.equal(("$name is $age"):gsub("%$(%w+)", { name = "Bob", age = 7 }), "Bob is 7")
  expect.equal(("abc"):gsub("", "-"), "-a-b-c-")
  expect.equal(("a.b"):find(".", 1, true), 2)
  local words = {}
  for word, place in ("one two"):gmatch("(%a+)()") do words[#words + 1] = word .. place end
  expect.equal(words, { "one4", "two8" })
end

tests["malformed patterns raise"] = function()
  for _, pattern in ipairs { "[a", "%", "(", ")", "%f", "%b", "%1" } do
    assert(not pcall(string.match, "aaa", pattern), pattern)
  end
end

tests["rep has a ceiling, and nothing repeated is nothing"] = function()
  expect.equal(#("ab"):rep(1 << 19), 1 << 20)
  expect.equal(pcall(string.rep, "ab", (8 << 20) + 1), false)
  expect.equal((""):rep(math.maxinteger), "")
  expect.equal(("ab"):rep(3, ", "), "ab, ab, ab")
end

return tests
