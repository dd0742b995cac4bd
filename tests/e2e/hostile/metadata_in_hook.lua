-- Tries to fetch a token from the metadata server in a hook.
-- Expected: refused, "a policy hook cannot wait"

local policy = require "paraph.policy"
local fetch = require "paraph.fetch"

local review = {}

function review.decide(letter)
  local ok, message = policy.call("test", fetch, { url = "http://169.254.169.254/computeMetadata/v1/" })
  if not ok then error(message) end
  return "send"
end

return review
