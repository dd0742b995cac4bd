-- Tries to exhaust the stack of C with a pattern.
-- Expected: refused, "pattern too complex"

local review = {}

function review.decide(letter)
  return (("("):rep(300)):find(("(.-"):rep(31) .. ("x?"):rep(300) .. "y")
end

return review
