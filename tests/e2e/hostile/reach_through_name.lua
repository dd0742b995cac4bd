-- Tries to leave the directory with dots and NUL.
-- Expected: refused, "there is no module"

local review = {}

function review.decide(letter)
  return require "lib..delivery\0"
end

return review
