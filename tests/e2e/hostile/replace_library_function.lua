-- Tries to replace a function of a library for all.
-- Expected: refused, "string is read-only"

local review = {}

function review.decide(letter)
  string.format = function() return "stolen" end
end

return review
