-- Tries to loop in the metamethods of operators.
-- Expected: stopped, "ran for more than"

local function endless() while true do end end

local review = {}

function review.decide(letter)
  local odd = setmetatable({}, { __eq = endless, __lt = endless, __concat = endless, __len = endless,
    __call = endless, __add = endless, __unm = endless })
  pcall(function() return odd == setmetatable({}, getmetatable(odd)) end)
  pcall(function() return odd < odd end)
  pcall(function() return odd .. odd end)
  return #odd
end

return review
