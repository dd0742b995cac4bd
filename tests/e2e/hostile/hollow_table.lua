-- Tries to walk over a table that is large and empty.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local hollow = {}
  for i = 1, 200000 do hollow[i] = i end
  for i = 1, 200000 do hollow[i] = nil end
  while next(hollow) == nil do end
end

return review
