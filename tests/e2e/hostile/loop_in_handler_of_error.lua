-- Tries to loop in the message handler of an ordinary error.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  xpcall(error, endless)
  return "send"
end

return review
