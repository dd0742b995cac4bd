local expect = require "lib.expect"
local search = require "lib.search"
local testing = require "paraph.testing"

local function id_of(i)
  return ("6ba7b810-9dad-41d1-80b4-%012d"):format(i)
end

local function world_of(n, members_of)
  local world = testing.world()
  for i = 1, n do
    world.advance(1)
    local members = { to = "ann@example.com", subject = "Nr. " .. i, body = "b", status = "pending",
      created_at = world.now() }
    for name, value in pairs(members_of and members_of(i) or {}) do members[name] = value end
    world.put("drafts", id_of(i), members)
  end
end

local function numbers_of(text, query)
  local found, token, looked_at =
    search.drafts(query or { status = "pending", limit = 50 }, text)
  local numbers = {}
  for i, draft in ipairs(found) do numbers[i] = tonumber(draft.id:match("%d+$")) end
  return numbers, token, looked_at
end

return {
  ["every word must be somewhere, in any case"] = function()
    world_of(3, function(i)
      return i == 2 and { cc = { "Bob <bob@example.org>" }, body = "The INVOICE of May" }
    end)
    expect.equal({ (numbers_of "invoice bob") }, { { 2 } })
    expect.equal({ (numbers_of "invoice eve") }, { {} })
    expect.equal({ (numbers_of "%w+") }, { {} })
    expect.equal({ (numbers_of(id_of(3))) }, { { 3 } })
  end,

  ["the newest are looked through, and then it can be gone on"] = function()
    world_of(601, function(i) return i == 1 and { subject = "the oldest" } end)
    local numbers, token, looked_at = numbers_of "oldest"
    expect.equal({ numbers, looked_at, token ~= nil }, { {}, 500, true })
    numbers, token, looked_at =
      numbers_of("oldest", { status = "pending", limit = 50, page_token = token })
    expect.equal({ numbers, looked_at, token }, { { 1 }, 101 })
  end,
}
