-- Tries to hold the thread with a loop that has no end.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  while true do end
end

return review
