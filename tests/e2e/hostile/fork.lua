-- Tries to start branches that start branches.
-- Expected: stopped, "a branch was not started" or "has run for more than"
-- Called as a handler.

local task = require "paraph.task"

local review = {}

function review.decide(letter)
  local function fork() return task.all { fork, fork, fork, fork } end
  fork()
end

return review
