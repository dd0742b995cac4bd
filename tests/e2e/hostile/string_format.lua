-- Tries to format a number to a width of millions.
-- Expected: refused, "invalid"

local review = {}

function review.decide(letter)
  return ("%99999999d"):format(1)
end

return review
