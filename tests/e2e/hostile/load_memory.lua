-- Tries to take all memory while it is loaded.
-- Expected: not loaded, "memory"

local t = {}
for i = 1, math.huge do t[#t + 1] = ("x"):rep(1000000 + i) end
