-- Tries to put a finalizer into the metatable of all arrays.
-- Expected: refused, "cannot be changed"

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  json.array_mt.__gc = function() end
end

return review
