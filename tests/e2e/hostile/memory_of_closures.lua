-- Tries to take all memory with closures.
-- Expected: stopped, "memory" or "ran for more than"

local review = {}

function review.decide(letter)
  local t = {}
  while true do t[#t + 1] = function() return t end end
end

return review
