-- Tries to load bytecode, which could break out.
-- Expected: refused, "unknown global 'load'"

local review = {}

function review.decide(letter)
  return load("\27Lua")()
end

return review
