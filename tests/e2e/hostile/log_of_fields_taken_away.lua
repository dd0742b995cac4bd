-- Tries to log fields of which one, on the way to its text, takes the others away.
-- Expected: harmless

local log = require "paraph.log"

local review = {}

function review.decide(letter)
  local fields = {}
  local function take_away()
    for name in pairs(fields) do fields[name] = nil end
    for i = 1, 50000 do local _ = { i } end
    return "x"
  end
  for i = 1, 8 do fields[("name"):rep(10) .. i] = setmetatable({}, { __tostring = take_away }) end
  log.info("hello", fields)
  return "send"
end

return review
