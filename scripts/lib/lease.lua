--- How long a claim holds. Its holder ends within REQUEST_TIMEOUT, one way or another; after twice
--- that time it is nobody's, and whoever meets it may take it over.

local config = require "paraph.config"
local time = require "paraph.time"

local lease = {}

lease.seconds = 2 * config.request_timeout

--- Whether a claim has outlived its holder. What says nothing of when it was taken has none, and a
--- time from which the clock was set back is none to wait for.
---@param since any   RFC 3339
---@return boolean
function lease.is_over(since)
  local taken = type(since) == "string" and time.parse(since)
  return not taken or math.abs(time.parse(time.now()) - taken) > lease.seconds
end

return lease
