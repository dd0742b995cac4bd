local correspondents = require "lib.correspondents"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local marks = require "lib.marks"
local testing = require "paraph.testing"
local words = require "pages.words"

local function kinds_of(members)
  local document = drafts.merged(
    { to = "ann@known.example", subject = "s", body = "b", status = "pending" }, members, {})
  local kinds = {}
  for i, mark in ipairs(marks.of({ { id = "x", version = "1", document = document } }, words.en)[1])
  do
    kinds[i] = mark.kind
  end
  return kinds
end

local function many(n)
  local list = {}
  for i = 1, n do list[i] = ("user%d@known.example"):format(i) end
  return list
end

--- { members of the draft, kinds of its marks }
local cases = {
  { {}, {} },
  { { to = "bob@strange.example" }, { "domain" } },
  { { cc = "bob@strange.example, cy@other.example" }, { "domain" } },
  { { to = "bob@strange.example", status = "sent" }, {} },
  { { to = many(10) }, {} },
  { { to = many(11) }, { "many" } },
  { { format = "html", body = '<a href="https://evil.example">known.example</a>' }, { "links" } },
  { { format = "html", body = '<a href="https://known.example">known.example</a>' }, {} },
  { { body = '<a href="https://evil.example">known.example</a>' }, {} },
  { { format = "markdown", body = "[known.example](https://evil.example)" }, { "links" } },
  { { format = "html", body = ("x"):rep(200000) }, { "links" } },
  { { template = "there is none", body = false }, { "links" } },
  { { attachments = { { filename = "a.pdf", size = 1 } } }, { "attachments" } },
  { { decision = { verdict = "hold", rule = "big", reason = "too big" } }, { "rule" } },
  { { decision = { verdict = "send", rule = "all" } }, {} },
  { { decision = "hostile", attachments = 7, to = 9, format = {} }, {} },
}

local function known_world()
  testing.world()
  correspondents.remember { to = "x@known.example" }
end

return {
  ["marks of a draft"] = testing.cases(cases, function(case)
    known_world()
    expect.equal(kinds_of(case[1]), case[2])
  end),

  ["a domain is new until a mail has left for it"] = function()
    testing.world()
    local to = { to = "ann@first.example" }
    expect.equal(kinds_of(to), { "domain" })
    correspondents.remember(to)
    expect.equal(kinds_of(to), {})
  end,

  ["a message may go to hundreds of domains"] = function()
    testing.world()
    local to = {}
    for i = 1, 200 do to[i] = ("ann@crowd%d.example"):format(i) end
    local document = { to = to, subject = "s", body = "b", status = "pending" }
    local mark = marks.of({ { id = "x", version = "1", document = document } }, words.en)[1][1]
    expect.equal({ mark.kind, mark.title }, { "domain", "No mail has gone to crowd1.example, "
      .. "crowd2.example, crowd3.example, crowd4.example, crowd5.example and 195 more before" })
    correspondents.remember { to = to }
    expect.equal(kinds_of { to = to[200] }, {})
  end,

  ["where the store does not answer nobody is told to be new"] = function()
    local world = testing.world()
    world.store_fails("store_error", "the store is away", { on = "get" })
    expect.equal(kinds_of { to = "ann@unheard.example" }, {})
  end,
}
