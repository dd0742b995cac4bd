--- What the host gives to scripts, called with anything: each call returns or raises, and the world
--- works afterwards.
---
--- The input is a program of bytes: the number of a function, how many arguments, what each is made
--- of; and so on to the end. What a call returns is an argument for those to come.

local json = require "paraph.json"
local store = require "paraph.store"
local testing = require "paraph.testing"

local CALLS_MAX, RESULTS_MAX, DEPTH_MAX = 64, 16, 4
local MODULES = {
  "cjson", "paraph.address", "paraph.blob", "paraph.config", "paraph.crypto", "paraph.environ",
  "paraph.errors", "paraph.fetch", "paraph.jobs", "paraph.json", "paraph.log", "paraph.mail",
  "paraph.metrics",
  "paraph.policy", "paraph.prompt", "paraph.rehearsal", "paraph.scripts", "paraph.serve",
  "paraph.store", "paraph.task", "paraph.templates", "paraph.text", "paraph.time",
  "paraph.webhook",
}
local LIBRARIES = { string = string, table = table, utf8 = utf8, math = math }
local GLOBALS = {
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs, next = next,
  pairs = pairs, pcall = pcall, rawequal = rawequal, rawget = rawget, rawlen = rawlen,
  select = select, setmetatable = setmetatable, tonumber = tonumber, tostring = tostring,
  type = type, xpcall = xpcall,
}
-- They change a world that all inputs share: the seed, and the tests' own.
local LEFT_OUT = { ["math.randomseed"] = true }
local UUID = "11111111-1111-4111-8111-111111111111"
local WORDS = {
  "", "a", UUID, "drafts", "email_drafts", "pending", "ann@example.com",
  "Ann <ann@example.com>, b@example.org", "2026-03-01T09:30:00.000000Z", "\0", "\xFF\xFE",
  "\xC3\xA9", "a\r\nBcc: x@example.com", "%s%n%d", "(.-)%1", "[[{\"a\":[1,null]}]]", "aGk=",
  "mail/welcome.mustache", "http://example.com/", "version", "status", ("x"):rep(5000),
}
local MEMBERS = {
  "id", "to", "subject", "text", "html", "from", "address", "name", "parts", "content", "filename",
  "content_type", "content_id", "version", "remove", "limit", "status", "page_token", "before",
  "counter", "first", "last", "set", "also", "url", "method", "headers", "body", "timeout",
  "max_bytes", "indent", "max_depth", "blobs", "cc", "bcc", "reply_to", "thread_id",
  "in_reply_to", "references", "date", "mailbox", "key", "created_at", "waiting", "most", "append",
  "member", "value", "target", "remote", "caller", "roles", "with", "collection", "document",
}
local NUMBERS = {
  0, 1, -1, 2, 200, 255, 1000, 2 ^ 31, 1 << 32, math.maxinteger, math.mininteger, 0.5, -0.0, 1e10,
  1e308, math.huge, -math.huge, 0 / 0, 253e9, 1767225600,
}

-- --- the functions -------------------------------------------------------------------------------

local functions = {}

local function add(name, f)
  if type(f) == "function" and not LEFT_OUT[name] then
    functions[#functions + 1] = { name = name, call = f }
  end
end

local function add_members(name, members)
  for member, f in pairs(members) do add(name .. "." .. member, f) end
end

for _, name in ipairs(MODULES) do
  local module = require(name)
  if type(module) == "table" then add_members(name, module) else add(name, module) end
end
for name, library in pairs(LIBRARIES) do add_members(name, library) end
add_members("_G", GLOBALS)
--- A method, of whatever value has one of that name.
for _, name in ipairs {
  "string", "base64_decode", "base64_encode", "find", "sha256", "slice", "bytes", "etag",
  "recipients", "sender", "note", "finish",
} do
  add(":" .. name, function(value, ...) return value[name](value, ...) end)
end
table.sort(functions, function(a, b) return a.name < b.name end)

-- --- values --------------------------------------------------------------------------------------

local Input = {}
Input.__index = Input

function Input:byte()
  local byte = self.text:byte(self.at)
  self.at = self.at + 1
  return byte or 0
end

function Input:choose(list)
  return list[self:byte() % #list + 1]
end

function Input:piece()
  local n = self:byte()
  local piece = self.text:sub(self.at, self.at + n - 1)
  self.at = self.at + n
  return piece
end

local make

local function make_table(input, depth)
  local t = {}
  for i = 1, input:byte() % 6 do
    local value = make(input, depth + 1)
    if input:byte() % 2 == 0 then t[i] = value else t[input:choose(MEMBERS)] = value end
  end
  return t
end

local function make_object(input, depth)
  local meta = make_table(input, depth)
  for _, event in ipairs {
    "__index", "__len", "__pairs", "__tostring", "__call", "__eq", "__lt", "__concat", "__close",
    "__name", "__metatable",
  } do
    if input:byte() % 3 == 0 then meta[event] = make(input, depth + 1) end
  end
  return setmetatable(make_table(input, depth), meta)
end

local function make_function(input)
  local f = input:choose(functions).call
  local calls = 0
  local function limited(...)
    calls = calls + 1
    if calls < 8 then return f(...) end
  end
  local kinds = {
    f, limited, function() error("raised", 0) end, function(...) return ... end,
    function() return require "paraph.task".sleep(1) end,
    function() error { code = "timeout" } end,
  }
  return input:choose(kinds)
end

local makers = {
  function() return nil end,
  function() return false end,
  function() return true end,
  function(input) return input:choose(NUMBERS) end,
  function(input) return input:byte() * input:byte() - 100 end,
  function(input) return input:choose(WORDS) end,
  function(input) return input:piece() end,
  function(input) return input:choose(MEMBERS) end,
  function(input) return testing.blob(input:piece()) end,
  make_table,
  make_object,
  make_function,
  function(input) return input.results[input:byte() % RESULTS_MAX + 1] end,
  function(input) return input.results[#input.results] end,
  function()
    local t = {}
    t[1], t.self = t, t
    return t
  end,
  function(input) return { [input:choose(MEMBERS)] = make_table(input, DEPTH_MAX) } end,
  function() return json.null end,
  function() return setmetatable({}, json.array_mt) end,
  function()
    return { id = UUID, to = "ann@example.com", subject = "s", text = "t", html = "<p>h</p>" }
  end,
  function(input) return { input:piece(), to = input:choose(WORDS), id = UUID } end,
}

function make(input, depth)
  if depth > DEPTH_MAX then return input:byte() end
  return input:choose(makers)(input, depth)
end

-- --- the run -------------------------------------------------------------------------------------

local function keep(input, ok, ...)
  if not ok then return end
  for i = 1, math.min(select("#", ...), 4) do
    if #input.results == RESULTS_MAX then table.remove(input.results, 1) end
    input.results[#input.results + 1] = select(i, ...)
  end
end

--- What was done to it left the world as it should be.
local function check_world()
  local document = { subject = "s", n = 1, list = { 1.5, "x" } }
  assert(store.create("fuzz", UUID, document), "nothing can be stored")
  local found = assert(store.get("fuzz", UUID))
  assert(json.encode(found) == json.encode(document), "something else is stored")
  assert(json.encode(json.decode('{"a":[1,null]}')) == '{"a":[1,null]}')
end

return function(text)
  local input = setmetatable({ text = text, at = 1, results = {} }, Input)
  local world = testing.world { fetch = function() return { status = 200, body = "{}" } end }
  world.put("drafts", UUID, { status = "pending", to = "ann@example.com" })
  for _ = 1, CALLS_MAX do
    if input.at > #text then break end
    local f, arguments, n = input:choose(functions), {}, input:byte() % 6
    for i = 1, n do arguments[i] = make(input, 1) end
    keep(input, pcall(f.call, table.unpack(arguments, 1, n)))
  end
  testing.refresh()
  check_world()
end
