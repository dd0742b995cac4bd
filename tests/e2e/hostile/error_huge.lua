-- Tries to flood the log with one error.
-- Expected: refused, "xxxx" or "ran for more than"

local review = {}

function review.decide(letter)
  error(("x"):rep(10000000))
end

return review
