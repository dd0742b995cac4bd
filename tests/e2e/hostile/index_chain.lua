-- Tries to follow a metatable that leads to itself.
-- Expected: refused, "possibly a loop" or "possible loop"

local review = {}

function review.decide(letter)
  local t = {}
  t.__index = t
  return setmetatable(t, t).x
end

return review
