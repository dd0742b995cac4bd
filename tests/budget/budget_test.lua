-- Budgets of what C does, of blobs and of branches. (What stops a whole request is tested from
-- outside: tests/e2e/hostile.)
local address = require "paraph.address"
local json = require "paraph.json"
local mail = require "paraph.mail"
local policy = require "paraph.policy"
local task = require "paraph.task"
local testing = require "paraph.testing"

local tests = {}

--- A hook with this body is stopped.
local function stopped(body, part)
  local ok, message = policy.call("test", body)
  assert(not ok and message:find(part or "ran for more than", 1, true), message)
end

local function lengthy(n) return setmetatable({}, { __len = function() return n end }) end

tests["no range is too long for the functions of table"] = function()
  stopped(function() table.insert(lengthy(1 << 60), 1, "x") end)
  stopped(function() table.remove(lengthy(1 << 60), 1) end)
  stopped(function() table.move({}, 1, 1 << 60, 2) end)
  assert(not pcall(table.move, {}, -1, math.maxinteger, 2))
end

tests["a sort is stopped, with a comparison and without"] = function()
  local words = {}
  for i = 1, 1000000 do words[i] = (i * 7919) % 1000003 end
  stopped(function() while true do table.sort(words) end end)
  local sorted = { 3, 1, 2 }
  table.sort(sorted)
  assert(table.concat(sorted) == "123")
  assert(not pcall(table.sort, { 1, "x" }))
end

tests["a pattern is stopped while there are steps left"] = function()
  local long = ("a"):rep(4000000)
  stopped(function() for _ = 1, 1000 do pcall(string.find, long, ".-b") end end)
end

tests["JSON is stopped, however little there is to write"] = function()
  local hollow = {}
  for i = 1, 1000000 do hollow[i] = i end
  for i = 1, 1000000 do hollow[i] = nil end
  local many = {}
  for i = 1, 200000 do many[i] = hollow end
  stopped(function() return json.encode(many) end)
end

tests["a handler of errors does not run on when the time is over"] = function()
  local function endless() while true do end end
  stopped(function() xpcall(endless, endless) end)
  stopped(function() xpcall(error, endless) end)
  stopped(function()
    local _ <close> = setmetatable({}, { __close = endless })
    endless()
  end)
end

tests["a list of recipients has an end"] = function()
  local many = {}
  for i = 1, 600 do many[i] = "a@example.com" end
  local message = {
    id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8", to = many, subject = "s", text = "t",
  }
  local built, err = mail.build(message)
  assert(built == nil and err.code == "invalid_recipient")
  assert(address.parse(("a@example.com,"):rep(100000)) == nil)
end

tests["garbage of many slices is not held against anybody"] = function()
  for _ = 1, 30 do
    local part = ("x"):rep(15000000)
    assert(#part == 15000000 and task.sleep(0))
  end
end

tests["blobs are memory too"] = function()
  local results = table.pack(pcall(function()
    local held = {}
    local one = mail.build {
      id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8", to = "a@example.com", subject = "s",
      text = ("x"):rep(15000000),
    }:bytes()
    for i = 1, 20 do held[i] = one:base64_encode() end
    return held
  end))
  assert(not results[1] and results[2]:find("MiB of blobs", 1, true), results[2])
end

-- Of each blob one byte is kept, and with it all the others.
tests["what slices hold is memory, whoever closes the whole"] = function()
  local one = testing.blob(("x"):rep(15000000))
  local kept = {}
  local ok, err = pcall(function()
    for i = 1, 20 do
      local copy <close> = one:base64_encode()
      kept[i] = copy:slice(1, 1)
    end
  end)
  assert(not ok and err:find("MiB of blobs", 1, true), err)
  local n = #kept
  kept = {}
  for i = 1, n do kept[i] = one:base64_encode() end
  assert(n > 1 and #kept == n)
end

tests["slices share what they are charged"] = function()
  local one, slices = testing.blob(("x"):rep(15000000)), {}
  for i = 1, 100 do slices[i] = one:slice(i) end
  assert(#slices[100] == 15000000 - 99)
end

tests["branches of branches have an end"] = function()
  local function fork()
    return task.all { fork, fork, fork, fork }
  end
  local ok, err = pcall(fork)
  assert(not ok, "it did not fail")
  assert(tostring(err):find("a branch was not started", 1, true), tostring(err))
end

return tests
