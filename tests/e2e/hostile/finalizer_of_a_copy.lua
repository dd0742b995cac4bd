-- Tries to have copies given the finalizer that was put into a metatable in use.
-- Expected: harmless

local json = require "paraph.json"

local review = {}

function review.decide(letter)
  local mt = {}
  local table = setmetatable({}, mt)
  mt.__gc = function() while true do end end
  for _ = 1, 1000 do json.copy(table) end
  for _ = 1, 10 do local _ = ("x"):rep(1000000) end
  return "send"
end

return review
