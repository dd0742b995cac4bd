-- Tries to give the service routes of its own through require.
-- Expected: harmless

local review = {}

function review.decide(letter)
  local routes = require "routes"
  routes[1] = { "GET", "/stolen", handler = function() return { body = "x" } end, access = "public" }
  return "send"
end

return review
