-- Tries to loop in a metamethod.
-- Expected: stopped, "ran for more than" or "C stack overflow"

local review = {}

function review.decide(letter)
  return setmetatable({}, { __index = function(t, k) return t[k + 1] end })[1]
end

return review
