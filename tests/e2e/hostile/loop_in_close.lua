-- Tries to loop while a variable is closed after the time is over.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  local _ <close> = setmetatable({}, { __close = endless })
  endless()
end

return review
