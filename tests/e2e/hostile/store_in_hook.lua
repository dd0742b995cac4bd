-- Tries to read the drafts of others from a hook.
-- Expected: refused, "a policy hook cannot wait"

local policy = require "paraph.policy"
local store = require "paraph.store"

local review = {}

function review.decide(letter)
  local ok, message = policy.call("test", store.query, "email_drafts")
  if not ok then error(message) end
  return "send"
end

return review
