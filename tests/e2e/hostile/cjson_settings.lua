-- Tries to let cjson recurse without end, for all scripts.
-- Expected: refused, "attempt to call a nil value"

local cjson = require "cjson"

local review = {}

function review.decide(letter)
  cjson.encode_max_depth(100000000)
end

return review
