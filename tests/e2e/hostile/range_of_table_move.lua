-- Tries to move 2^60 elements that are not there.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  table.move({}, 1, 1 << 60, 2)
end

return review
