-- Tries to replace a global function for all.
-- Expected: refused, "assignment to the global 'pairs'"

local review = {}

function review.decide(letter)
  pairs = function() return next, {}, nil end
end

return review
