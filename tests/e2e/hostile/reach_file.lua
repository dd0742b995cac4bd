-- Tries to read a file through require.
-- Expected: refused, "there is no module"

local review = {}

function review.decide(letter)
  return require "../../../../etc/passwd"
end

return review
