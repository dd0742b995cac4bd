-- Tries to change what other requests are checked against.
-- Expected: refused, "module 'lib.message' is read-only"

local review = {}

function review.decide(letter)
  require("lib.message").post.required = nil
end

return review
