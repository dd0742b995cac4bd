-- Tries to turn a long string into values.
-- Expected: refused, "too long"

local review = {}

function review.decide(letter)
  return ("x"):rep(10000000):byte(1, -1)
end

return review
