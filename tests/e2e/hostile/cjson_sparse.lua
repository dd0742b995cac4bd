-- Tries to make cjson write a billion nulls.
-- Expected: refused, "excessively sparse array"

local cjson = require "cjson"

local review = {}

function review.decide(letter)
  return cjson.encode { [1000000000] = 1 }
end

return review
