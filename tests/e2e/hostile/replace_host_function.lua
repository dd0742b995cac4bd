-- Tries to replace a function of the host.
-- Expected: refused, "module 'paraph.store' is read-only"

local review = {}

function review.decide(letter)
  require("paraph.store").get = function() return {} end
end

return review
