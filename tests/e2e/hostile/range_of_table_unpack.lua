-- Tries to unpack more values than the stack takes.
-- Expected: refused, "too many results to unpack"

local review = {}

function review.decide(letter)
  return table.unpack({}, 1, 100000000)
end

return review
