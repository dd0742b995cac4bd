-- Tries to get at bytecode.
-- Expected: refused, "attempt to call a nil value"

local review = {}

function review.decide(letter)
  return string.dump(function() end)
end

return review
