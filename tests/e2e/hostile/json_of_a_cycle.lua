-- Tries to encode a table that contains itself.
-- Expected: refused, "contains itself"

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  local t = {}
  t.t = t
  return json.encode(t)
end

return review
