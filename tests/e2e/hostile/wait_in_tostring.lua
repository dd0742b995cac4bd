-- Tries to wait while something is printed.
-- Expected: refused, "cannot wait"

local task = require "paraph.task"

local review = {}

function review.decide(letter)
  print(setmetatable({}, { __tostring = function() task.sleep(1) end }))
end

return review
