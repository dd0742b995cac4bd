-- Tries to sort in the comparison of a sort.
-- Expected: refused, "stack overflow"

local review = {}

function review.decide(letter)
  local function f() table.sort({ 2, 1 }, f) end
  f()
end

return review
