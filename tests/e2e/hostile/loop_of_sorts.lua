-- Tries to sort a long list again and again, in C alone.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local list = {}
  for i = 1, 100000 do list[i] = (i * 7919) % 100003 end
  while true do pcall(table.sort, list) end
end

return review
