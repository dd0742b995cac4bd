-- Tries to require itself.
-- Expected: not loaded, "requires itself"

return require "policy.review"
