-- Tries to put something into the array that is empty for all.
-- Expected: refused, "cannot be changed"

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  json.empty_array[1] = "stolen"
end

return review
