--- For test_lua_string.c: `string` is ours, `original` is Lua's; both must do the same.
local original, string = original, string -- luacheck: globals original

math.randomseed(20240229)

local atoms = {
  "a", "b", ".", "%a", "%A", "%d", "%s", "%w", "%x", "%z", "%%", "%.", "%-", "[ab]", "[^a]", "[]]",
  "[^]]", "[%w_]", "[a-c]", "[a-]", "[%a-z]", "[-a]", "[^%s]", "\0", "%1", "%2", "%0", "(", ")",
  "()", "(a)", "(.-)", "%b()", "%bab", "%f[a]", "%f[%w]", "%f[^b]", "^", "$", "%", "[", "]", "%f",
  "%b", "%b(", "[a", "[%", "\xE9", "-", "*",
}
local suffixes = { "", "", "", "", "*", "+", "-", "?" }
local letters = {
  "a", "a", "a", "b", "b", "c", "1", " ", "(", ")", "]", ".", "-", "%", "A", "\0", "\xE9", "_",
}
local templates = { "", "x", "%0", "%1", "%2", "<%0>", "%1%1", "%%", "%", "%x", "a\0%0", 7 }

local function pick(list) return list[math.random(#list)] end

local function make(list, n, tails)
  local parts = {}
  for i = 1, math.random(0, n) do parts[i] = pick(list) .. (tails and pick(tails) or "") end
  return table.concat(parts)
end

local function gather(lib, s, p, init)
  local out = {}
  for a, b in lib.gmatch(s, p, init) do out[#out + 1] = tostring(a) .. "/" .. tostring(b) end
  return table.concat(out, ";")
end

local function show(...)
  local out = table.pack(...)
  for i = 1, out.n do out[i] = math.type(out[i]) and "n" .. out[i] or tostring(out[i]) end
  return table.concat(out, "|")
end

local by_table = setmetatable({ a = "x", b = false, ab = 1 }, {
  __index = function(_, key)
    if #tostring(key) > 2 then return "<" .. key .. ">" end
  end,
})

local function by_function(...)
  local first = ...
  if first == "b" then return nil elseif first == "c" then return {} end
  return "[" .. select("#", ...) .. tostring(first) .. "]"
end

local matched, failed = 0, 0

for _ = 1, 20000 do
  local s, p = make(letters, 10), make(atoms, 5, suffixes)
  if math.random(5) == 1 then p = "^" .. p end
  local init, limit, template = math.random(-12, 12), math.random(-1, 4), pick(templates)
  local calls = {
    find = function(lib) return lib.find(s, p, init) end,
    plain = function(lib) return lib.find(s, p, init, true) end,
    match = function(lib) return lib.match(s, p, init) end,
    gmatch = function(lib) return gather(lib, s, p, init) end,
    gsub = function(lib) return lib.gsub(s, p, template) end,
    limited = function(lib) return lib.gsub(s, p, template, limit) end,
    by_table = function(lib) return lib.gsub(s, p, by_table) end,
    by_function = function(lib) return lib.gsub(s, p, by_function) end,
  }
  for name, call in pairs(calls) do
    local want, got = show(pcall(call, original)), show(pcall(call, string))
    if want ~= got then
      error(("%s(%q, %q, %d): Lua %s, ours %s"):format(name, s, p, init, want, got))
    end
    if want:sub(1, 5) == "false" then
      failed = failed + 1
    elseif want ~= "true|nil" then
      matched = matched + 1
    end
  end
end
assert(matched > 20000 and failed > 20000, matched .. " " .. failed)

local odd_calls = {
  function(lib) return lib.find() end,
  function(lib) return lib.find("a", {}) end,
  function(lib) return lib.find("a", "a", "x") end,
  function(lib) return lib.match(12, "%d", 2.0) end,
  function(lib) return lib.match("a", "a", 1.5) end,
  function(lib) return lib.match("aaa", ("(a?)"):rep(33)) end,
  function(lib) return lib.match("aaa", ("a?"):rep(250)) end,
  function(lib) return lib.match(("a"):rep(250), ("a?"):rep(250)) end,
  function(lib) return lib.match("aaa", ("("):rep(20)) end,
  function(lib) return lib.gsub("a", "a") end,
  function(lib) return lib.gsub("a", "a", true) end,
  function(lib) return lib.gsub("a", "a", "b", "c") end,
  function(lib) return lib.gsub("a", "a", error) end,
  function(lib) return lib.gmatch("a") end,
  function(lib) return lib.gmatch("abc", "()")() end,
  function(lib) return lib.gmatch("abc", "b", 9)() end,
  function(lib) return lib.find("abc", "", 4) end,
  function(lib) return lib.find("abc", "", 5) end,
  function(lib) return lib.find("abc", "", math.mininteger) end,
  function(lib) return lib.find("abc", "c", -1) end,
  function(lib) return lib.rep("ab", 3, ",") end,
  function(lib) return lib.rep("ab", 1, ",") end,
  function(lib) return lib.rep("ab", 0, ",") end,
  function(lib) return lib.rep("", 3, ",") end,
  function(lib) return lib.rep("abc", 7) end,
  function(lib) return lib.rep("abc", math.mininteger) end,
  function(lib) return lib.rep("a\0", 5, "\0") end,
  function(lib) return lib.rep("a") end,
  function(lib) return lib.rep("a", 2, {}) end,
}

for i, call in ipairs(odd_calls) do
  local want, got = show(pcall(call, original)), show(pcall(call, string))
  assert(want == got, ("call %d: Lua %s, ours %s"):format(i, want, got))
end
