-- Tries to have the collector take away names that are being written.
-- Expected: refused, "a weak table cannot be read here"

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  local weak = setmetatable({}, { __mode = "v" })
  for i = 1, 4 do weak[("name"):rep(20) .. i] = { ("x"):rep(1000000) } end
  json.encode(weak)
  return "send"
end

return review
