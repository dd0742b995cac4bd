-- Tries to read the environment.
-- Expected: refused, "unknown global 'os'"

local review = {}

function review.decide(letter)
  return os.getenv("HOSTILE_SECRET")
end

return review
