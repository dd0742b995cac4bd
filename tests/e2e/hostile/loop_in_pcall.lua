-- Tries to swallow the error that stops a loop.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  while true do pcall(endless) end
end

return review
