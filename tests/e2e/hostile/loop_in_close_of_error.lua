-- Tries to loop while a variable is closed after an error.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  local _ <close> = setmetatable({}, { __close = endless })
  error("x")
end

return review
