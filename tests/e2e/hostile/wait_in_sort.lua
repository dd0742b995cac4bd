-- Tries to wait in a comparison, which C called.
-- Expected: refused, "cannot wait"

local task = require "paraph.task"

local review = {}

function review.decide(letter)
  table.sort({ 2, 1 }, function() return task.sleep(1) end)
end

return review
