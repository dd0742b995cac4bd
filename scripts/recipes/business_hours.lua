--- Hold what would leave at night, at weekends or on holidays.
---
--- my/policy/review.lua:
---
---   local business_hours = require "recipes.business_hours"
---   local rules = require "lib.rules"
---   return { decide = rules.first {
---     { "hours", business_hours { from = 8, to = 18, closed = { "12-25", "2026-04-06" } } },
---   } }
---
--- From 8:00 to 17:59 by local time: set TZ, for instance TZ=Europe/Paris; without it hours are
--- those of UTC. 17.5 is half past five. What is held waits for a reviewer: it does not leave by
--- itself in the morning, and holidays that move are not computed.

local given = require "lib.given"

---@class business_hours
---@field from number         hour, 0 to 24
---@field to number           hour, later than from; this one itself is closed
---@field days? integer[]     1 Monday to 7 Sunday; default Monday to Friday
---@field closed? string[]    "12-25" every year, "2026-04-06" once

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

---@param hours business_hours
---@return rule
return function(hours)
  given("business_hours", hours,
    { from = "number", to = "number", days = "integer[]?", closed = "string[]?" })
  if not (hours.from >= 0 and hours.from < hours.to and hours.to <= 24) then
    error("business hours: from and to are hours from 0 to 24, the earlier one first", 2)
  end
  local days, closed = set_of(hours.days or { 1, 2, 3, 4, 5 }), set_of(hours.closed or {})
  return function(letter)
    local now = letter.now
    local day = ("%02d-%02d"):format(now.month, now.day)
    local hour = now.hour + now.minute / 60
    if not days[now.weekday] or closed[day] or closed[("%04d-%s"):format(now.year, day)] then
      return "hold", "nobody works today"
    end
    if hour < hours.from or hour >= hours.to then return "hold", "it is outside business hours" end
  end
end
