-- Tries to pass a million values.
-- Expected: refused, "stack overflow" or "too many" or "MiB of memory"

local review = {}

function review.decide(letter)
  local function f(...) return f(1, 2, 3, ..., ...) end
  local t = {}
  for i = 1, 100000 do t[i] = i end
  local function g(n, ...) return select("#", ...) + g(n + 1, table.unpack(t)) end
  return g(0)
end

return review
