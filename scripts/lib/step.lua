--- Steps of what is done to a mail, in the log: one event for each, with the time it took.

local log = require "paraph.log"
local time = require "paraph.time"

local step = {}

--- A step begins.
---@return number began
function step.begin()
  return time.monotonic()
end

--- It has ended: an event, with `ms` among its fields.
---@param level "debug"|"info"|"warning"
---@param message string
---@param began number
---@param fields table<string, any>
function step.ended(level, message, began, fields)
  if not log.on(level) then return end
  fields.ms = time.monotonic() - began
  log[level](message, fields)
end

return step
