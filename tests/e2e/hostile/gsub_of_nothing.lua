-- Tries to replace nothing, in megabytes, again and again.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  while true do (("a"):rep(100000)):gsub("", "") end
end

return review
