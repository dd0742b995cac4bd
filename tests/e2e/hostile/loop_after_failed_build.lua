-- Tries to go on in the time that a message may take to be built, after that has failed.
-- Expected: stopped, "ran for more than"
-- Called as a handler.

local mail = require "paraph.mail"

local review = {}

function review.decide(letter)
  local built = pcall(mail.build, { from = "a@example.com", to = "b@example.com", subject = "S",
    text = "x", parts = { 1 } })
  assert(not built)
  while true do end
end

return review
