-- Tries to change a library by a function of C.
-- Expected: refused, "math is read-only"

local review = {}

function review.decide(letter)
  table.insert(math, "stolen")
end

return review
