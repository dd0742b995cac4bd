-- Tries to exhaust the stack of C through pcall.
-- Expected: harmless

local review = {}

function review.decide(letter)
  local function f() return pcall(f) end
  f()
  return "send"
end

return review
