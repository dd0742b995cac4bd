-- Tries to concatenate one long string many times.
-- Expected: stopped, "memory"

local review = {}

function review.decide(letter)
  local t = {}
  for i = 1, 1000 do t[i] = ("x"):rep(1000000) end
  return table.concat(t)
end

return review
