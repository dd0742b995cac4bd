-- Tries to overflow the stack of C with cjson.
-- Expected: refused, "nest"

local cjson = require "cjson"

local review = {}

function review.decide(letter)
  return cjson.decode(("["):rep(1000000))
end

return review
