-- Tries to answer with a table that is in itself 2^60 times.
-- Expected: refused, "values"
-- Called as a handler.

local review = {}

function review.decide(letter)
  local twice = {}
  for _ = 1, 60 do twice = { twice, twice } end
  return { json = twice }
end

return review
