-- Tries to let mail leave that the operator holds back.
-- Expected: refused, "module 'paraph.config' is read-only"

local review = {}

function review.decide(letter)
  require("paraph.config").no_send = false
end

return review
