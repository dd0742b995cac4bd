-- What scripts have, and what they do not have.
local log = require "paraph.log"
local testing = require "paraph.testing"
local time = require "paraph.time"

local tests = {}

local function fails(fn, pattern)
  local ok, err = pcall(fn)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern), tostring(err))
end

local G = _G

tests["globals are strict"] = function()
  fails(function() return G.no_such_name end, "unknown global 'no_such_name'")
  fails(function() G.new_name = 1 end, "assignment to the global 'new_name'")
  fails(function() return G.coroutine end, "use paraph.task")
end

tests["dangerous libraries are not there"] = function()
  for _, name in ipairs { "os", "io", "debug", "package", "load", "loadfile", "dofile",
    "collectgarbage", "coroutine", "rawset" } do
    assert(rawget(G, name) == nil, name)
  end
  assert(string.dump == nil)
  fails(function() setmetatable({}, { __gc = function() end }) end, "__gc")
  assert(getmetatable(G) == false)
  fails(function() setmetatable(G, nil) end, "protected")
end

tests["what is shipped is there as a copy, which its owner may change"] = function()
  local own = require "shipped.lib.rules"
  assert(own.first and own ~= require "lib.rules")
  own.first = 7
  assert(type(require("shipped.lib.rules").first) == "function")
  assert(type(require("lib.rules").first) == "function")
  fails(function() require "shipped.no_such" end, "there is no module 'shipped.no_such'")
end

tests["require finds modules of the host and scripts, and nothing else"] = function()
  assert(require "paraph.json" == require "paraph.json")
  assert(type(require("cjson").encode) == "function")
  assert(type(require "lib.mustache") == "table")
  local none = { "no.such", "../routes", "/etc/passwd", "lib..mustache", "", "paraph.no" }
  for _, name in ipairs(none) do
    fails(function() require(name) end, "there is no module")
  end
end

tests["an error in a metamethod or message handler does not break the host"] = function()
  local odd = setmetatable({}, { __tostring = function() error("odd") end })
  fails(function() error(setmetatable({ message = "kept" }, nil)) end, "table")
  assert(not pcall(tostring, odd))
end

tests["what is global is read-only"] = function()
  fails(function() G.print = 1 end, "assignment to the global 'print'")
  fails(function() G.pairs = nil end, "assignment to the global 'pairs'")
  for _, name in ipairs { "string", "table", "math", "utf8" } do
    fails(function() G[name].new = 1 end, name .. " is read%-only")
    fails(function() G[name].len = nil end, name .. " is read%-only")
    fails(function() table.insert(G[name], 1) end, name .. " is read%-only")
    fails(function() setmetatable(G[name], {}) end, "protected")
    assert(getmetatable(G[name]) == false)
    local _, behind = pairs(G[name])
    assert(behind == G[name])
  end
  assert(getmetatable("") == false)
  assert(G._G == G)
end

tests["a read-only table reads like any other"] = function()
  local n = 0
  for name, value in pairs(string) do
    n = n + 1
    assert(string[name] == value)
  end
  assert(n > 10 and next(string) and next(string, "format") ~= "format")
  assert(#string == 0 and not pcall(function() return G.no_such end))
  assert(("x"):upper() == string.upper("x") and math.pi > 3)
  n = 0
  for _ in pairs(G) do n = n + 1 end
  assert(n > 15)
end

tests["next is Lua's own otherwise"] = function()
  assert(next({}) == nil and select("#", next({})) == 1)
  local key, value = next({ a = 1 })
  assert(key == "a" and value == 1)
  fails(function() next("x") end, "table expected")
  fails(function() next({}, "no key") end, "")
end

tests["a finalizer that is put in later is none"] = function()
  local ran = false
  local mt = {}
  do local _ = setmetatable({}, mt) end
  mt.__gc = function() ran = true end
  for _ = 1, 20 do local _ = ("x"):rep(1000000) end
  assert(not ran)
  fails(function() setmetatable({}, mt) end, "__gc")
end

tests["xpcall hands over what was raised, and results"] = function()
  local function same(...) return ... end
  local results = table.pack(xpcall(same, same, 1, nil))
  assert(results.n == 3 and results[1] == true and results[2] == 1)
  local ok, told = xpcall(error, function(e) return e.code end, { code = "x" })
  assert(not ok and told == "x")
  ok, told = xpcall(function() require "paraph.task".sleep(1) error("late", 0) end, same)
  assert(not ok and told == "late")
  fails(function() xpcall(same) end, "bad argument #2")
  assert(select("#", xpcall(same, same)) == 1)
  assert(not xpcall(error, error, "in the handler"))
end

tests["cjson has no settings, and takes nothing that is large"] = function()
  local cjson = require "cjson"
  assert(cjson.encode_max_depth == nil and cjson.new == nil)
  local twice = {}
  for _ = 1, 60 do twice = { twice, twice } end
  fails(function() cjson.encode(twice) end, "more than 250000 values")
  fails(function() cjson.encode({ ("x"):rep(9000000) }) end, "bytes of strings")
  fails(function() cjson.encode(string) end, "read%-only")
  fails(function() cjson.decode(("["):rep(2000000)) end, "over 1 MiB")
  fails(function() cjson.decode(("["):rep(2000)) end, "nest")
  assert(cjson.decode(cjson.encode { 1, { a = "b" } })[2].a == "b")
end

tests["arrays of JSON cannot be changed for all"] = function()
  local json = require "paraph.json"
  fails(function() json.empty_array[1] = 1 end, "cannot be changed")
  fails(function() json.array_mt.__index = {} end, "cannot be changed")
  fails(function() setmetatable(json.empty_array, nil) end, "protected")
  assert(getmetatable(json.empty_array) == json.array_mt)
  assert(json.encode(json.empty_array) == "[]")
end

tests["nothing is nil, and can be handed on"] = function()
  local scripts = require "paraph.scripts"
  local nothing = {
    function() return testing.blob("abc"):find "x" end,
    function() return require "paraph.environ" "POLICY_OF_NOBODY" end,
    function() return require("paraph.mail").line() end,
    function() return require("paraph.templates").read "mail/nothing.mustache" end,
    function() return scripts.refused() end,
    function() return scripts.source "nothing.lua" end,
    function() return time.parse "x" end,
  }
  for i, f in ipairs(nothing) do
    local results = table.pack(f())
    assert(results.n == 1 and results[1] == nil, i)
  end
end

tests["moments are within the years 1 to 9999"] = function()
  for _, text in ipairs { "0001-01-01T00:00:00.000000Z", "0999-12-31T23:59:59.000000Z",
    "9999-12-31T23:59:59.000000Z" } do
    local seconds = time.parse(text)
    assert(time.format(seconds) == text and time.date(seconds).utc == text, text)
  end
  for _, seconds in ipairs { -62135596801, 253402300800, math.huge, -math.huge, 0 / 0 } do
    fails(function() time.format(seconds) end, "years 1 to 9999")
    fails(function() time.date(seconds) end, "years 1 to 9999")
  end
end

tests["what the log sets itself is refused, whether an event is written or not"] = function()
  for _, level in ipairs { "debug", "info", "warning" } do
    assert(not log.on(level))
    for _, name in ipairs { "time", "severity", "message", "request_id", "trace_id",
      "mail_trace_id", "httpRequest", "logging.googleapis.com/labels" } do
      fails(function() log[level]("event", { [name] = "x" }) end,
        "field '" .. name .. "' is set by the log itself")
    end
    fails(function() log[level]("event", { "x" }) end, "names of fields are short strings")
    log[level]("event", { other = "x" })
  end
end

return tests
