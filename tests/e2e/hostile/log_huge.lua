-- Tries to log megabytes.
-- Expected: harmless

local log = require "paraph.log"

local review = {}

function review.decide(letter)
  local s = ("x"):rep(1000000)
  log.info(s, { a = s, b = s, c = s, d = s })
  return "send"
end

return review
