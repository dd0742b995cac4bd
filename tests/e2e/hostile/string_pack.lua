-- Tries to pad a string to a gigabyte.
-- Expected: refused, "memory" or "too large" or "ran for more than"

local review = {}

function review.decide(letter)
  return string.pack("c1000000000", "x")
end

return review
