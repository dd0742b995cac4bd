-- Tries to load a file.
-- Expected: refused, "unknown global 'loadfile'"

local review = {}

function review.decide(letter)
  return loadfile("/etc/passwd")
end

return review
