-- Tries to loop in a comparison of table.sort.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  table.sort({ 3, 2, 1 }, endless)
end

return review
