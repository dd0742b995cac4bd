-- Tries to answer with a table that never ends.
-- Expected: stopped, "ran for more than"
-- Called as a handler.

local function endless() while true do end end

local review = {}

function review.decide(letter)
  return setmetatable({}, { __index = endless })
end

return review
