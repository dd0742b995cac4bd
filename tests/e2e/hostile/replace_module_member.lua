-- Tries to send in place of the service.
-- Expected: refused, "module 'lib.direct' is read-only"

local review = {}

function review.decide(letter)
  require("lib.direct").send = function() return {} end
end

return review
