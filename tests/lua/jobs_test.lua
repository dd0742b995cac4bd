local jobs = require "paraph.jobs"
local policy = require "paraph.policy"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise")
  assert(tostring(message):find(pattern, 1, true), tostring(message))
end

return {
  -- What it does in a service is in tests/e2e/jobs.test.mjs: no test has jobs.
  ["wake of a job that is not there is nothing"] = function()
    assert(select("#", jobs.wake("sweep", 0)) == 0)
    assert(select("#", jobs.wake("", 86400000)) == 0)
  end,

  ["wake wants a name and a time within a day"] = function()
    for _, ms in ipairs { -1, 86400001, math.maxinteger, math.mininteger } do
      raises("must be from 0 to 86400000", jobs.wake, "sweep", ms)
    end
    raises("bad argument", jobs.wake, "sweep", 0.5)
    raises("bad argument", jobs.wake, "sweep")
    raises("bad argument", jobs.wake, nil, 0)
  end,

  ["a hook wakes no job"] = function()
    local ok, message = policy.call("test", jobs.wake, "sweep", 0)
    assert(not ok and message:find("a hook wakes no job", 1, true), message)
  end,
}
