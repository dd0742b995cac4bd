-- Tries to double a string.
-- Expected: stopped, "memory"

local review = {}

function review.decide(letter)
  local s = "x"
  while true do s = s .. s end
end

return review
