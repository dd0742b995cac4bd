-- Tries to go on in the message handler of xpcall when the time is over.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  xpcall(endless, endless)
  return "send"
end

return review
