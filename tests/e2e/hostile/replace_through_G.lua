-- Tries to replace a global function through _G.
-- Expected: refused, "assignment to the global 'type'"

local review = {}

function review.decide(letter)
  _G.type = function() return "stolen" end
end

return review
