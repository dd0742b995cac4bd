-- Tries to match a pattern that is quadratic in megabytes.
-- Expected: stopped, "ran for more than" or "pattern too complex"

local review = {}

function review.decide(letter)
  (("a"):rep(8000000)):find(".-b")
  return "send"
end

return review
