-- Tries to raise nothing.
-- Expected: refused, "nil"

local review = {}

function review.decide(letter)
  error(nil)
end

return review
