-- Waiting, branches, budgets.
local task = require "paraph.task"
local time = require "paraph.time"

local tests = {}

local function fails(fn, pattern)
  local ok, err = pcall(fn)
  assert(not ok, "it did not fail")
  assert(tostring(err):find(pattern), tostring(err))
end

tests["sleep waits"] = function()
  local before = time.monotonic()
  assert(task.sleep(20))
  assert(time.monotonic() - before >= 19)
end

tests["sleep refuses nonsense"] = function()
  fails(function() task.sleep(-1) end, "milliseconds")
  fails(function() task.sleep("soon") end, "number expected")
end

tests["waiting is refused inside a callback of C, and leaves nothing behind"] = function()
  fails(function() ("x"):gsub("x", function() task.sleep(1) end) end, "cannot wait here")
  fails(function() table.sort({ 1, 2 }, function() task.sleep(1) end) end, "cannot wait here")
end

tests["waiting works in pcall, metamethods and iterators"] = function()
  local ok, err = pcall(function()
    task.sleep(1)
    error({ code = "mine" })
  end)
  assert(not ok and err.code == "mine")
  local lazy = setmetatable({}, { __index = function(_, k) task.sleep(1) return k .. "!" end })
  assert(lazy.here == "here!")
  for v in function(_, n) task.sleep(1) if (n or 0) < 2 then return (n or 0) + 1 end end do
    assert(v <= 2)
  end
end

tests["all runs at the same time and keeps the order"] = function()
  local before = time.monotonic()
  local results = task.all({
    function() task.sleep(60) return "a", 1 end,
    function() task.sleep(50) return nil, { code = "timeout" } end,
    function() return "c" end,
  })
  assert(time.monotonic() - before < 105, "one after the other")
  assert(results[1][1] == "a" and results[1][2] == 1)
  assert(results[2][1] == nil and results[2][2].code == "timeout")
  assert(results[3][1] == "c")
  assert(#task.all({}) == 0)
end

tests["all raises the error of a branch when all have ended"] = function()
  local ended = false
  fails(function()
    task.all({ function() error("branch broke") end, function() task.sleep(5) ended = true end })
  end, "branch broke")
  assert(ended)
end

tests["all nests"] = function()
  local results = task.all({ function()
    return task.all({ function() task.sleep(1) return 7 end })[1][1]
  end })
  assert(results[1][1] == 7)
end

tests["a slice may not take all memory, and the next one goes on"] = function()
  fails(function()
    local hog = {}
    for i = 1, 1000 do hog[#hog + 1] = ("x"):rep(1000000 + i) end
  end, "not enough memory")
  assert(#("y"):rep(1000) == 1000)
end

return tests
