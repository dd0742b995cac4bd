-- Tries to flood the table of short strings.
-- Expected: stopped, "memory" or "ran for more than"

local review = {}

function review.decide(letter)
  local t = {}
  for i = 1, math.huge do t[#t + 1] = "s" .. i end
end

return review
