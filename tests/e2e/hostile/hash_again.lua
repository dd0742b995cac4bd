-- Tries to hash megabytes again and again.
-- Expected: stopped, "ran for more than"

local crypto = require "paraph.crypto"

local review = {}

function review.decide(letter)
  local s = ("x"):rep(1000000)
  while true do crypto.sha256(s) end
end

return review
