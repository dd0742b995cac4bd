-- Tries to burn in many branches at once.
-- Expected: stopped, "has run for more than"
-- Called as a handler.

local task = require "paraph.task"
local time = require "paraph.time"

local review = {}

function review.decide(letter)
  local function burn()
    while true do
      local till = time.monotonic() + 50
      while time.monotonic() < till do end
      task.sleep(1)
    end
  end
  local branches = {}
  for i = 1, 64 do branches[i] = burn end
  task.all(branches)
end

return review
