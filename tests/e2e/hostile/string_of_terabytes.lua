-- Tries to make a string of a terabyte.
-- Expected: refused, "resulting string too large"

local review = {}

function review.decide(letter)
  return ("x"):rep(1 << 40)
end

return review
