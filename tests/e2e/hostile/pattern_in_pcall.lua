-- Tries to match such patterns again and again.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  while true do pcall(string.find, ("a"):rep(4000), ".-.-.-b") end
end

return review
