-- Tries to yield beyond the machine of tasks.
-- Expected: refused, "use paraph.task"

local review = {}

function review.decide(letter)
  coroutine.yield()
end

return review
