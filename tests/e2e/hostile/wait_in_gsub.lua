-- Tries to wait in a callback of gsub.
-- Expected: refused, "cannot wait"

local task = require "paraph.task"

local review = {}

function review.decide(letter)
  return (("x"):gsub("x", function() task.sleep(1) end))
end

return review
