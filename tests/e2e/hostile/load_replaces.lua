-- Tries to replace a function for all who are loaded later.
-- Expected: not loaded, "is read-only"

string.format = function() return "" end
return { decide = function() return "send" end }
