-- Tries to run code when the collector likes.
-- Expected: refused, "__gc is not available"

local review = {}

function review.decide(letter)
  setmetatable({}, { __gc = function() while true do end end })
end

return review
