-- Tries to reach the registry.
-- Expected: refused, "unknown global 'debug'"

local review = {}

function review.decide(letter)
  return debug.getregistry()
end

return review
