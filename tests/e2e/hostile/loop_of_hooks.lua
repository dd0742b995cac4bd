-- Tries to renew its time by calling hooks of its own.
-- Expected: stopped, "ran for more than" or "has run for more than"

local policy = require "paraph.policy"

local review = {}

function review.decide(letter)
  while true do policy.call("test", function() for i = 1, 1e6 do local _ = i end end) end
end

return review
