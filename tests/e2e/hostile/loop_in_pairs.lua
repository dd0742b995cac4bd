-- Tries to loop in an iterator that __pairs gives.
-- Expected: stopped, "ran for more than"

local review = {}

function review.decide(letter)
  local odd = setmetatable({}, { __pairs = function() return function() return 1 end end })
  for _ in pairs(odd) do end
end

return review
