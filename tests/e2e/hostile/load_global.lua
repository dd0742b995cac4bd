-- Tries to leave something for others in a global.
-- Expected: not loaded, "assignment to the global"

stolen = {}
return { decide = function() return "send" end }
