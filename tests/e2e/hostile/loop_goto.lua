-- Tries to loop without a loop statement.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  ::again::
  goto again
end

return review
