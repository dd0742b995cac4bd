-- Tries to count to infinity.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  for i = 1, math.huge do local _ = i end
end

return review
