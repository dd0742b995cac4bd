-- Tries to loop by tail calls, which need no stack.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local function f() return f() end
  return f()
end

return review
