-- Tries to take all memory with tables.
-- Expected: stopped, "memory" or "ran for more than"

local review = {}

function review.decide(letter)
  local t = {}
  for i = 1, math.huge do t[i] = { i, i, i, i } end
end

return review
