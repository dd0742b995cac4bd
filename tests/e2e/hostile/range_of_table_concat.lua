-- Tries to concatenate 2^60 elements.
-- Expected: refused, "invalid value (at index 1)" or "invalid value (nil)"

local review = {}

function review.decide(letter)
  return table.concat({}, "", 1, 1 << 60)
end

return review
