-- Tries to count characters again and again.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local s = ("x"):rep(1000000)
  while true do utf8.len(s) end
end

return review
