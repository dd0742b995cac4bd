-- Tries to insert before 2^60 elements that __len promises.
-- Expected: stopped, "ran for more than"

local function lengthy(n) return setmetatable({}, { __len = function() return n end }) end

local review = {}

function review.decide(letter)
  table.insert(lengthy(1 << 60), 1, "x")
end

return review
