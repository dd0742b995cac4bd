-- Tries to exhaust the stack of C through tostring.
-- Expected: refused, "stack overflow"

local review = {}

function review.decide(letter)
  local m = {}
  m.__tostring = function(x) return tostring(x) end
  return tostring(setmetatable({}, m))
end

return review
