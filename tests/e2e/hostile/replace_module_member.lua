-- Tries to send in place of the service.
-- Expected: refused, "module 'lib.delivery' is read-only"

local review = {}

function review.decide(letter)
  require("lib.delivery").send_now = function() return {} end
end

return review
