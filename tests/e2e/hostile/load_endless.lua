-- Tries to loop while it is loaded.
-- Expected: not loaded, "ran for more than"

while true do end
