-- Tries to leave branches behind that live longer than the hook.
-- Expected: refused, "a policy hook cannot wait"

local policy = require "paraph.policy"
local task = require "paraph.task"

local review = {}

function review.decide(letter)
  local ok, message = policy.call("test", task.all, { function() task.sleep(1000) end })
  if not ok then error(message) end
  return "send"
end

return review
