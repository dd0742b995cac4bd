-- Tries to exhaust the stack of C through callbacks.
-- Expected: refused, "stack overflow"

local review = {}

function review.decide(letter)
  local function f() return (("x"):gsub("x", f)) end
  return f()
end

return review
