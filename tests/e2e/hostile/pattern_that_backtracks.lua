-- Tries to match a pattern that backtracks without end.
-- Expected: stopped, "pattern too complex" or "ran for more than"

local review = {}

function review.decide(letter)
  (("a"):rep(40) .. "b"):find(("a*"):rep(20) .. "c")
  return "send"
end

return review
