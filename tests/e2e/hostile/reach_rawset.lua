-- Tries to write past a metatable.
-- Expected: refused, "unknown global 'rawset'"

local review = {}

function review.decide(letter)
  rawset(_G, "pairs", nil)
end

return review
