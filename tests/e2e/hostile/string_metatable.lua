-- Tries to change what all strings are.
-- Expected: refused, "attempt to index a boolean value"

local review = {}

function review.decide(letter)
  getmetatable("").__index = function() return "stolen" end
end

return review
