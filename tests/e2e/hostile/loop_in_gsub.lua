-- Tries to loop in a callback of C.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  return (("x"):gsub("x", endless))
end

return review
