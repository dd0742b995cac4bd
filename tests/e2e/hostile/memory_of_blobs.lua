-- Tries to keep bytes outside of Lua, where its limits do not see them.
-- Expected: stopped, "MiB of blobs"
-- Called as a handler.

local mail = require "paraph.mail"

local review = {}

function review.decide(letter)
  local blob = mail.build {
    id = "6ba7b810-9dad-41d1-80b4-00c04fd430c8", to = "a@example.com", subject = "s",
    text = ("x"):rep(15000000),
  }:bytes()
  local kept = {}
  for i = 1, 1000 do kept[i] = blob:base64_encode() end
end

return review
