-- Tries to run a file.
-- Expected: refused, "unknown global 'dofile'"

local review = {}

function review.decide(letter)
  return dofile("/etc/passwd")
end

return review
