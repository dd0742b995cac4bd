-- Tries to make cjson write 2^60 values beyond the limits of Lua.
-- Expected: refused, "values"

local cjson = require "cjson"

local review = {}

function review.decide(letter)
  local twice = {}
  for _ = 1, 60 do twice = { twice, twice } end
  return cjson.encode(twice)
end

return review
