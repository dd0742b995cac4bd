-- Tries to send mail from a hook.
-- Expected: refused, "a policy hook cannot wait"

local policy = require "paraph.policy"
local mail = require "paraph.mail"

local review = {}

function review.decide(letter)
  local ok, message = policy.call("test", mail.send, {})
  if not ok then error(message) end
  return "send"
end

return review
