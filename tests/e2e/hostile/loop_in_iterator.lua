-- Tries to loop in a for statement whose iterator does not end.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  for _ in function() return 1 end do end
end

return review
