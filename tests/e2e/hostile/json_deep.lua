-- Tries to decode a text that is nested deeply.
-- Expected: harmless

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  json.decode(("["):rep(1000000))
  return "send"
end

return review
