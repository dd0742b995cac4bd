-- Tries to forge the members that the log itself sets.
-- Expected: refused, "is set by the log itself"

local log = require "paraph.log"

local review = {}

function review.decide(letter)
  log.error("x", { request_id = "another", severity = "DEBUG" })
end

return review
