-- Tries to raise an error that raises when it is described.
-- Expected: refused, "overflow" or "could not be described"

local review = {}

function review.decide(letter)
  local m = {}
  m.__tostring = function(e) error(e) end
  error(setmetatable({}, m))
end

return review
