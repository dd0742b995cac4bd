-- Tries to print megabytes.
-- Expected: stopped, "memory"

local review = {}

function review.decide(letter)
  print(("x"):rep(10000000), ("y"):rep(10000000))
  return "send"
end

return review
