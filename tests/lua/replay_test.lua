--- What a replay says about drafts, and that it changes none.

local config = require "paraph.config"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local replay = require "lib.replay"
local review = require "policy.review"
local store = require "paraph.store"

local tests = {}

local made = 0

--- A draft as it is stored; its id.
local function draft(members)
  made = made + 1
  local id = ("%08x-0000-4000-8000-000000000000"):format(made)
  local document = {
    to = "ann@example.com, bob@example.com", subject = "s", body = "Hi", status = "pending",
    created_at = ("2024-06-15T10:%02d:%02dZ"):format(made // 60, made % 60), created_by = "crm",
  }
  for name, value in pairs(members) do document[name] = value end
  assert(store.create(config.draft_collection, id, document))
  return id
end

--- Forget all drafts, then run `body`.
local function alone(body)
  local page
  repeat
    page = assert(store.query(config.draft_collection, { limit = 200 }))
    for _, row in ipairs(page.documents) do store.delete(config.draft_collection, row.id) end
  until #page.documents == 0
  body()
end

--- The lines of a replay under this review.decide.
local function replayed(most, decide)
  local lines
  expect.while_replaced(review, "decide", decide, function()
    lines = assert(replay.lines(most))
  end)
  return lines
end

local function hold() return "hold", "just\nbecause \u{9B}1m" end
local function send() return "send" end

local function decision(verdict, rule, at)
  return { verdict = verdict, reason = "too\nmany", rule = rule or "r",
    at = at or "policy/review.lua:7" }
end

local HOLD = 'hold "too many" (policy/review.lua:7)'

--- { decision that is stored, hook, what is said of it, what the summary says }; nil: as before
local cases = {
  ["held, and now sent"] = { decision "hold", send, "was: " .. HOLD .. "  now: send",
    "1 sent that were held" },
  ["sent, and now held"] = { decision "send", hold,
    'was: send  now: hold "just because 1m" (replay_test.lua:', "1 held that were sent" },
  ["held again"] = { decision "hold", hold },
  ["sent again"] = { decision "send", send },
  ["never decided, and now sent"] = { nil, send },
  ["never decided, and now held"] = { nil, hold, "was: never decided  now: hold",
    "1 held that were never decided" },
  ["never decided, and now refused"] = { nil, function() return "refuse" end,
    'was: never decided  now: refuse "review.decide" (replay_test.lua:',
    "1 refused that were never decided" },
  ["written by others, without a decision"] = { { verdict = 7 }, send },
  ["written by others, in part"] = { { verdict = "hold" }, send, 'was: hold "?" (?)  now: send',
    "1 sent that were held" },
  ["held by a limit, and sent but for it"] = { decision("hold", "limits.of"), send },
  ["held by a limit, and now held"] = { decision("hold", "limits.of"), hold,
    "was: send (held by limits.of)  now: hold", "1 held that were sent" },
  ["held by the brake, and sent but for it"] =
    { decision("hold", "NO_SEND", "environment"), send },
}

for name, case in pairs(cases) do
  tests["a draft that was " .. name] = function()
    alone(function()
      local id = draft { decision = case[1] }
      local lines = replayed(10, case[2])
      if not case[3] then
        return expect.equal(lines, { { "ok", "replay", "1 draft: 1 as before" } })
      end
      expect.equal({ #lines, lines[1][1], lines[1][2] }, { 2, "differs", id })
      expect.holds(lines[1][3], "  ann@example.com +1  " .. case[3])
      expect.equal(lines[1][3]:sub(1, 14), "2024-06-15T10:")
      expect.equal(lines[2], { "ok", "replay", "1 draft: 0 as before, " .. case[4] })
    end)
  end
end

tests["the hook sees what was posted, by whom, and when"] = function()
  alone(function()
    draft { created_at = "2024-06-15T12:30:00.5Z", status = "sent", held = "why",
      decision = decision "hold", approvals = { { by = "anna" } }, sent_at = "2024-06-16T00:00:00Z",
      metadata = { order = 7 }, from_name = "CRM" }
    local seen
    replayed(1, function(letter)
      seen = letter
      return "send"
    end)
    expect.equal(seen.draft, { to = "ann@example.com, bob@example.com", subject = "s",
      body = "Hi", metadata = { order = 7 }, from_name = "CRM" })
    expect.equal({ seen.caller, seen.today }, { { name = "crm", roles = {} }, {} })
    expect.equal(seen.now.utc:sub(1, 19), "2024-06-15T12:30:00")
  end)
end

tests["the newest so many are looked at, page by page, and none is changed"] = function()
  alone(function()
    local ids, versions = {}, {}
    for i = 1, 120 do ids[i] = draft {} end
    for i, id in ipairs(ids) do versions[i] = select(2, store.get(config.draft_collection, id)) end
    local lines = replayed(110, hold)
    expect.equal(#lines, 111)
    expect.equal({ lines[1][2], lines[110][2] }, { ids[120], ids[11] })
    expect.equal(lines[111][3], "110 drafts: 0 as before, 110 held that were never decided")
    for i, id in ipairs(ids) do
      expect.equal(select(2, store.get(config.draft_collection, id)), versions[i])
    end
  end)
end

tests["drafts whose time cannot be"] = function()
  alone(function()
    draft { created_at = "0001-01-01T00:00:00Z" }
    draft { created_at = "9999-12-31T23:59:59Z" }
    local lines = replayed(10, hold)
    expect.equal(#lines, 3)
    for i = 1, 2 do expect.equal(lines[i][3]:sub(1, 12), "at no time  ") end
  end)
end

tests["no drafts"] = function()
  alone(function()
    expect.equal(replayed(10, hold),
      { { "ok", "replay", "no drafts in " .. config.draft_collection } })
  end)
end

tests["a hook that fails is told once for each error"] = function()
  alone(function()
    for _ = 1, 3 do draft {} end
    local newest = draft { subject = "other" }
    local lines = replayed(10, function(letter)
      if letter.draft.subject == "other" then return "perhaps" end
      return letter.nothing.there
    end)
    expect.equal(#lines, 3)
    for i = 1, 3 do expect.equal({ lines[i][1], lines[i][2] }, { "failed", "replay" }) end
    expect.holds(lines[1][3] .. lines[2][3], 'decide answers "perhaps"')
    expect.holds(lines[1][3] .. lines[2][3], ("(1 draft, the newest %s)"):format(newest))
    expect.holds(lines[1][3] .. lines[2][3], "attempt to index a nil value (field 'nothing') (3")
    expect.equal(lines[3][3], "4 drafts: 0 as before, 4 failed")
  end)
end

tests["a store that cannot be read"] = function()
  expect.while_replaced(drafts, "list", function() return nil, { code = "store_error" } end,
    function()
      expect.refused("store_error", nil, replay.lines(10))
    end)
end

return tests
