-- Tries to take the lock off a module.
-- Expected: refused, "protected metatable"

local review = {}

function review.decide(letter)
  setmetatable(require "lib.delivery", nil)
end

return review
