-- Tries to convert megabytes again and again.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local s = ("x"):rep(1000000)
  while true do s:upper():reverse() end
end

return review
