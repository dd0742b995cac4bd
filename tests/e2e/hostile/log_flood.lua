-- Tries to flood the log with events.
-- Expected: harmless

local log = require "paraph.log"

local review = {}

function review.decide(letter)
  for i = 1, 5000 do log.error("flood", { i = i }) end
  return "send"
end

return review
