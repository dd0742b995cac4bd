--- Steps of what is done to a mail, in the log: one event for each, with the time it took.

local log = require "paraph.log"
local time = require "paraph.time"

---@class step
---@field began number   in milliseconds
local step = {}
step.__index = step

--- A step begins.
---@return step
function step.begin()
  return setmetatable({ began = time.monotonic() }, step)
end

--- It has ended: an event, with `ms` among its fields.
---@param level "debug"|"info"|"warning"
---@param message string
---@param fields table<string, any>
function step:ended(level, message, fields)
  fields.ms = time.monotonic() - self.began
  log[level](message, fields)
end

return step
