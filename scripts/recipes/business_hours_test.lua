local business_hours = require "recipes.business_hours"
local expect = require "lib.expect"

local rule = business_hours { from = 8, to = 17.5, closed = { "12-25", "2026-04-06" } }

--- { weekday, year, month, day, hour, minute, a part of the reason; nil: it is not held }
local cases = {
  ["at the first minute"] = { 1, 2026, 3, 2, 8, 0 },
  ["before it"] = { 1, 2026, 3, 2, 7, 59, "outside" },
  ["at the last minute"] = { 5, 2026, 3, 6, 17, 29 },
  ["after it"] = { 5, 2026, 3, 6, 17, 30, "outside" },
  ["on Saturday"] = { 6, 2026, 3, 7, 12, 0, "nobody works" },
  ["on Sunday"] = { 7, 2026, 3, 8, 12, 0, "nobody works" },
  ["on a holiday of every year"] = { 5, 2026, 12, 25, 12, 0, "nobody works" },
  ["on a holiday of this year"] = { 1, 2026, 4, 6, 12, 0, "nobody works" },
  ["a year later"] = { 2, 2027, 4, 6, 12, 0 },
}

local tests = {}

for name, case in pairs(cases) do
  tests[name] = function()
    local verdict, reason = rule { now = { weekday = case[1], year = case[2], month = case[3],
      day = case[4], hour = case[5], minute = case[6] } }
    if not case[7] then return expect.equal({ verdict, reason }, {}) end
    expect.equal(verdict, "hold")
    expect.holds(reason, case[7])
  end
end

tests["other days"] = function()
  local sunday = { now = { weekday = 7, year = 2026, month = 3, day = 8, hour = 0, minute = 0 } }
  expect.equal(business_hours { from = 0, to = 24, days = { 7 } }(sunday), nil)
end

tests["hours that are none are refused"] = function()
  for _, hours in ipairs { { from = 18, to = 8 }, { from = -1, to = 8 }, { from = 8, to = 25 } } do
    expect.raises("from and to are hours", business_hours, hours)
  end
end

return tests
