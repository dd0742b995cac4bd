-- Tries to load a shared library.
-- Expected: refused, "unknown global 'package'"

local review = {}

function review.decide(letter)
  return package.loadlib("libc.so.6", "*")
end

return review
