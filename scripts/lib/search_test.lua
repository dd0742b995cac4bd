--- Looking for drafts by words, page by page.

local expect = require "lib.expect"
local search = require "lib.search"
local testing = require "paraph.testing"

local COUNT = 250

--- So many drafts, the last the newest; every second one is about oranges.
local function fill()
  local world = testing.world()
  for i = 1, COUNT do
    world.put("drafts", ("%08x-0000-4000-8000-000000000000"):format(i), {
      status = "pending", to = "ann@example.com", body = "Hello",
      subject = (i % 2 == 0 and "Oranges %d" or "Apples %d"):format(i),
      created_at = ("2026-01-01T%02d:%02d:00Z"):format(i // 60, i % 60),
    })
  end
end

local function subjects_of(found)
  local subjects = {}
  for i, draft in ipairs(found) do subjects[i] = draft.document.subject end
  return subjects
end

return {
  ["no more is found than was asked for, and the next page goes on behind it"] = function()
    fill()
    local all, token = {}, nil
    repeat
      local found, more = search.drafts(
        { status = "pending", limit = 20, page_token = token }, "oranges")
      expect.equal(#found <= 20, true)
      for _, subject in ipairs(subjects_of(found)) do all[#all + 1] = subject end
      token = more
    until not token
    expect.equal(#all, COUNT // 2)
    for i, subject in ipairs(all) do
      expect.equal(subject, ("Oranges %d"):format(COUNT - 2 * (i - 1)))
    end
  end,

  ["every word must be there, wherever, in capitals or not"] = function()
    fill()
    local found, token, looked_at = search.drafts({ limit = 50 }, "ANN@example  apples 249")
    expect.equal({ subjects_of(found), token, looked_at }, { { "Apples 249" }, nil, COUNT })
    expect.equal(#search.drafts({ limit = 50 }, "apples oranges"), 0)
  end,

  ["so many are looked through at once, and then it can be gone on"] = function()
    local world = testing.world()
    for i = 1, 601 do
      world.put("drafts", ("%08x-0000-4000-8000-000000000000"):format(i), {
        status = "pending", to = "ann@example.com", body = "Hello",
        subject = i == 1 and "the oldest" or "another",
        created_at = ("2026-01-01T%02d:%02d:00Z"):format(i // 60, i % 60),
      })
    end
    local query = { status = "pending", limit = 50 }
    local found, token, looked_at = search.drafts(query, "oldest")
    expect.equal({ #found, looked_at }, { 0, 500 })
    query.page_token = token
    found, token, looked_at = search.drafts(query, "oldest")
    expect.equal({ subjects_of(found), looked_at, token }, { { "the oldest" }, 101 })
  end,
}
