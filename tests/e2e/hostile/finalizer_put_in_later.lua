-- Tries to put a finalizer into a metatable that is in use.
-- Expected: harmless

local review = {}

function review.decide(letter)
  local mt = {}
  for _ = 1, 1000 do setmetatable({}, mt) end
  mt.__gc = function() while true do end end
  for _ = 1, 10 do local _ = ("x"):rep(1000000) end
  return "send"
end

return review
