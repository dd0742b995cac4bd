-- Tries to log a field that, on the way to its text, adds others whose names are no texts.
-- Expected: stopped, "names of fields are short strings"

local log = require "paraph.log"

local review = {}

function review.decide(letter)
  local fields = {}
  local function add()
    for _ = 1, 64 do fields[{}] = true end
    return "x"
  end
  fields.first = setmetatable({}, { __tostring = add })
  log.info("hello", fields)
  return "send"
end

return review
