-- Tries to exhaust the stack.
-- Expected: refused, "stack overflow" or "MiB of memory"

local review = {}

function review.decide(letter)
  local function f() return 1 + f() end
  return f()
end

return review
