-- Tries to take all memory with strings.
-- Expected: stopped, "memory"

local review = {}

function review.decide(letter)
  local t = {}
  for i = 1, math.huge do t[#t + 1] = ("x"):rep(1000000 + i) end
end

return review
