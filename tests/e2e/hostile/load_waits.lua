-- Tries to wait while it is loaded.
-- Expected: not loaded, "cannot wait"

require "paraph.task".sleep(1000)
return { decide = function() return "send" end }
