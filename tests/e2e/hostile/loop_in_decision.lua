-- Tries to loop when its decision is looked at.
-- Expected: stopped, "ran for more than" or "decide answers table"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  return setmetatable({}, { __eq = endless, __tostring = endless, __index = endless })
end

return review
