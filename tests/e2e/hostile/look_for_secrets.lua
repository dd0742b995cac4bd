-- Tries to find a secret of the environment in what it can see.
-- Expected: harmless

local review = {}

function review.decide(letter)
  local seen = {}
  local function look(value)
    if type(value) == "string" and value:find("top-" .. "secret", 1, true) then error("found: " .. value) end
    if type(value) ~= "table" or seen[value] then return end
    seen[value] = true
    for name, member in pairs(value) do
      look(name)
      look(member)
    end
  end
  look(_G)
  look(letter)
  for _, name in ipairs { "access", "routes", "jobs", "lib.delivery", "lib.drafts", "lib.message",
    "lib.idempotency", "lib.templates", "paraph.config", "paraph.mail", "paraph.store" } do
    look(require(name))
  end
  return "send"
end

return review
