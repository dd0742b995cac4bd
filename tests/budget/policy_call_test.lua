-- Hooks of operators: what they raise, and what they use up, is survived.
local policy = require "paraph.policy"
local store = require "paraph.store"
local task = require "paraph.task"

local tests = {}

local function refused(part, f, ...)
  local ok, message, trace = policy.call("test", f, ...)
  assert(ok == false, "it did not fail")
  assert(message:find(part, 1, true), message)
  assert(not message:find("\n"), message)
  assert(trace:find(part, 1, true), trace)
  return message, trace
end

local function endless() while true do end end

tests["results come back, nils among them"] = function()
  local function hook(...) return select("#", ...), nil, ... end
  local results = table.pack(policy.call("test", hook, 1, nil))
  assert(results.n == 5 and results[1] == true and results[2] == 2)
  assert(results[3] == nil and results[4] == 1 and results[5] == nil)
  assert(select("#", policy.call("test", function() end)) == 1)
end

tests["an error has a place and a chain of calls"] = function()
  local function inner() error("the bug is here") end
  local message, trace = refused("the bug is here", function() inner() end)
  assert(message:find("^%S*policy_call_test%.lua:%d+: the bug is here$"), message)
  assert(trace:find("stack traceback:", 1, true) and trace:find("inner", 1, true), trace)
end

tests["error values of all kinds are told in one line with a place"] = function()
  local odd = {
    { nil, "nil" }, { {}, "table" }, { 7, "7" }, { print, "function" },
    { "two\nlines", "two lines" },
    { { code = "x", message = "said" }, "said" }, { { message = {} }, "table" },
    { setmetatable({}, { __tostring = function() return "told" end }), "told" },
    { setmetatable({}, { __tostring = function() error("in tostring", 0) end }), "in tostring" },
    { setmetatable({}, { __tostring = function() return {} end }), "must return a string" },
    { setmetatable({}, { __index = function() error "index" end, __name = "odd" }), "odd" },
    { setmetatable({}, { __tostring = endless }), "ran for more than" },
  }
  for _, case in pairs(odd) do
    local message = refused(case[2], function() error(case[1], 0) end)
    assert(message:find("policy_call_test%.lua:%d+: "), message)
  end
  assert(#refused("xxx", function() error(("x"):rep(1000000)) end) < 1000)
end

tests["an error that raises itself while it is told"] = function()
  local m = {}
  m.__tostring = function(self) error(self) end
  local ok, message = policy.call("test", function() error(setmetatable({}, m)) end)
  assert(not ok and type(message) == "string")
end

tests["an endless hook is stopped, and its caller goes on"] = function()
  for _ = 1, 3 do
    local message = refused("the policy hook ran for more than", endless)
    assert(message:find("policy_call_test%.lua:%d+: "), message)
  end
  local n = 0
  for i = 1, 1000000 do n = n + i end
  assert(n == 500000500000)
  assert(task.sleep(1))
  assert(policy.call("test", function() return 1 end))
end

tests["a hook has no more time in a test than live"] = function()
  local message = refused("ran for more than", endless)
  local ms = message:match("more than (%d+) ms")
  assert(ms == "100" or ms == "300", message) -- the latter with sanitizers
end

tests["who calls hooks without end is stopped like who loops without end"] = function()
  local ok, err = pcall(task.all, { function()
    while true do policy.call("test", endless) end
  end })
  assert(not ok and tostring(err):find("the script ran for more than", 1, true), tostring(err))
end

tests["pcall and xpcall do not save an endless hook"] = function()
  refused("ran for more than", function() while true do pcall(endless) end end)
  refused("ran for more than", function()
    while true do xpcall(endless, function(message) return message end) end
  end)
end

tests["a hook in a hook has what is left of it"] = function()
  local function burn(steps)
    for _ = 1, steps do end
  end
  refused("ran for more than", function()
    for _ = 1, 1000 do policy.call("test", burn, 10000000) end
  end)
  assert(policy.call("test", function()
    assert(policy.call("test", burn, 1000))
    return policy.call("test", burn, 1000)
  end))
end

tests["memory is bounded, and its caller has its own"] = function()
  local ok, message = policy.call("test", function()
    local hog = {}
    for i = 1, math.huge do hog[#hog + 1] = ("x"):rep(1000000 + i) end
  end)
  assert(not ok and message:find("MiB of memory", 1, true), message)
  assert(#("y"):rep(10000000) == 10000000)
  assert(policy.call("test", function() return ("z"):rep(1000000) end))
end

tests["nothing in a hook waits"] = function()
  refused("a policy hook cannot wait", task.sleep, 1)
  refused("a policy hook cannot wait", function() return task.all { function() end } end)
  refused("a policy hook cannot wait", function() return store.get("notes", "x") end)
  refused("a policy hook cannot wait", function() return require "paraph.fetch" { url = "x" } end)
  refused("a policy hook cannot wait", function()
    policy.call("test", function() end)
    task.sleep(1)
  end)
  assert(task.sleep(1))
end

tests["what is to be closed is closed"] = function()
  local closed = 0
  local function close() closed = closed + 1 end
  refused("the bug", function()
    local _ <close> = setmetatable({}, { __close = close })
    error("the bug")
  end)
  assert(policy.call("test", function()
    local _ <close> = setmetatable({}, { __close = close })
  end))
  assert(closed == 2)
  refused("in close", function()
    local _ <close> = setmetatable({}, { __close = function() error("in close") end })
  end)
end

tests["it works in branches, callbacks and metamethods"] = function()
  local results = task.all {
    function() return policy.call("test", endless) end,
    function() task.sleep(1) return policy.call("test", function() return "b" end) end,
  }
  assert(results[1][1] == false and results[2][2] == "b")
  local replaced = ("x"):gsub("x", function()
    return (select(2, policy.call("test", function() return "y" end)))
  end)
  assert(replaced == "y")
end

tests["only functions are called"] = function()
  for _, value in pairs { 1, "x", {}, setmetatable({}, { __call = endless }) } do
    assert(not pcall(policy.call, value))
  end
  assert(not pcall(policy.call))
end

tests["where a function stands"] = function()
  assert(policy.where(endless):find("policy_call_test%.lua:%d+$"), policy.where(endless))
  assert(policy.where(print) == "[C]")
  assert(not pcall(policy.where, 7))
end

return tests
