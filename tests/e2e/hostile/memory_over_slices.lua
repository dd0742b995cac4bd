-- Tries to keep a little more after each wait.
-- Expected: stopped, "holds more than 128 MiB of memory"
-- Called as a handler.

local task = require "paraph.task"

local review = {}

function review.decide(letter)
  local kept = {}
  for i = 1, 1000 do
    kept[i] = ("x"):rep(15000000 + i)
    task.sleep(1)
  end
end

return review
