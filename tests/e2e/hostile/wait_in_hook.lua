-- Tries to sleep in a hook.
-- Expected: refused, "a policy hook cannot wait"

local policy = require "paraph.policy"
local task = require "paraph.task"

local review = {}

function review.decide(letter)
  local ok, message = policy.call("test", task.sleep, 1)
  if not ok then error(message) end
  return "send"
end

return review
