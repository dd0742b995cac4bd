-- Tries to encode a table that is in itself 2^60 times.
-- Expected: refused, "values" or "ran for more than"

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  local twice = {}
  for _ = 1, 60 do twice = { twice, twice } end
  return json.encode(twice)
end

return review
