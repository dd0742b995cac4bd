-- Tries to burn less than a slice may, and wait, again and again.
-- Expected: stopped, "has run for more than"
-- Called as a handler.

local task = require "paraph.task"
local time = require "paraph.time"

local review = {}

function review.decide(letter)
  while true do
    local till = time.monotonic() + 100
    while time.monotonic() < till do end
    task.sleep(1)
  end
end

return review
