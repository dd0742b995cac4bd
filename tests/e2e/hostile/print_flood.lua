-- Tries to flood the log without end.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  while true do print("flood") end
end

return review
