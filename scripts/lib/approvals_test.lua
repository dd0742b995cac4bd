local approvals = require "lib.approvals"
local config = require "paraph.config"
local drafts = require "lib.drafts"
local edits = require "lib.edits"
local expect = require "lib.expect"
local history = require "lib.history"
local review = require "policy.review"
local testing = require "paraph.testing"
local time = require "paraph.time"
local words = require "pages.words"

local ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
local REVIEWER = { name = "ann", method = "key", roles = { review = true } }

local function world_with(members, options)
  local world = testing.world(options)
  world.put("drafts", ID, drafts.merged({
    to = "bob@example.com", subject = "Hello", body = "Hi Bob", status = "pending",
    created_at = world.now(), created_by = "crm",
  }, members or {}, {}))
  return world
end

local function approve(seen)
  return approvals.approve(ID, seen or {}, REVIEWER)
end

local tests = {}

tests["an approved draft waits, and leaves when its time is over"] = function()
  local world = world_with()
  local draft = assert(approve())
  expect.equal({ draft.document.status, draft.document.waiting }, { "pending", "approved" })
  approvals.leave()
  expect.equal(#world.sent, 0)
  world.advance(6)
  approvals.leave()
  expect.equal(#world.sent, 1)
  local stored = world.get("drafts", ID)
  expect.equal({ stored.status, stored.reviewed_by, stored.waiting, stored.leaves_at },
    { "sent", "ann" })
end

tests["it leaves once, however often it is looked for"] = function()
  local world = world_with()
  assert(approve())
  world.advance(6)
  approvals.leave()
  approvals.leave()
  expect.equal(#world.sent, 1)
end

tests["it can be taken back until then"] = function()
  local world = world_with { held = "many recipients", waiting = "held" }
  assert(approve())
  local draft = assert(approvals.undo(ID))
  expect.equal({ draft.document.waiting, draft.document.approved_by }, { "held" })
  world.advance(60)
  approvals.leave()
  expect.equal(#world.sent, 0)
end

tests["taken back, it waits for what it waited for last"] = function()
  local world = world_with { held = "many recipients", waiting = "held" }
  assert(approve())
  world.advance(6)
  world.mail_fails("gmail_error", "Gmail refuses it", { on = "draft_send" })
  approvals.leave()
  assert(approve())
  local draft = assert(approvals.undo(ID))
  expect.equal({ draft.document.waiting, draft.document.waiting_before }, { "failed" })
end

tests["an approval of an earlier version that is taken back"] = function()
  local world = world_with { held = "many recipients", waiting = "held" }
  assert(approve())
  local stored = world.get("drafts", ID)
  stored.approved_as, stored.waiting_before = nil, nil
  world.put("drafts", ID, stored)
  expect.equal(assert(approvals.undo(ID)).document.waiting, "held")
end

tests["but not after it has left"] = function()
  local world = world_with()
  assert(approve())
  world.advance(6)
  approvals.leave()
  local _, err = approvals.undo(ID)
  expect.equal(err.code, "already_sent")
end

tests["undoing what was never approved changes nothing"] = function()
  world_with { waiting = "failed", error = "no" }
  expect.equal(assert(approvals.undo(ID)).document.waiting, "failed")
end

tests["a rejection comes first"] = function()
  local world = world_with()
  assert(approve())
  local draft = assert(drafts.reject(ID, "no", REVIEWER))
  expect.equal({ draft.document.status, draft.document.waiting }, { "rejected" })
  world.advance(6)
  approvals.leave()
  expect.equal(#world.sent, 0)
end

tests["an edit takes the approval away"] = function()
  local world = world_with()
  assert(approve())
  local edit = assert(edits.read { subject = "Other" })
  local draft = assert(edits.apply(ID, edit, REVIEWER))
  expect.equal({ draft.document.waiting, draft.document.approved_etag }, {})
  world.advance(6)
  approvals.leave()
  expect.equal(#world.sent, 0)
end

tests["what was seen is what is approved"] = function()
  world_with()
  for _, seen in ipairs { { etag = "0" }, { version = "0" } } do
    local _, err = approve(seen)
    expect.equal(err.code, "changed_since_review")
  end
end

tests["what cannot leave waits for a person again, with the reason"] = function()
  local world = world_with()
  assert(approve())
  world.advance(6)
  world.mail_fails("gmail_error", "Gmail refuses it", { on = "draft_send" })
  approvals.leave()
  local stored = world.get("drafts", ID)
  expect.equal({ stored.status, stored.waiting, stored.error },
    { "pending", "failed", "Gmail refuses it" })
  local told = {}
  for i, event in ipairs(history.events({ id = ID, document = stored }, {}, words.en)) do
    expect.holds(event.at.text, time.date().zone)
    told[i] = { event.what, event.who, event.detail }
  end
  expect.equal(told, { { "Written", "crm", false }, { "Approved", "ann", false },
    { "Failed", "", "Gmail refuses it" } })
end

tests["a message that has become another one meanwhile does not leave"] = function()
  local world = world_with()
  assert(approve())
  local stored = world.get("drafts", ID)
  stored.subject = "Not what was seen"
  world.put("drafts", ID, stored)
  world.advance(6)
  approvals.leave()
  stored = world.get("drafts", ID)
  expect.equal({ #world.sent, stored.waiting, stored.failure.reviewed_by, stored.approved_by },
    { 0, "failed", "ann" })
end

tests["what the policy keeps at the end waits for a person, with the reason"] = function()
  local world = world_with()
  assert(approve())
  world.advance(6)
  local function hold() return "hold", "a second reviewer must approve it" end
  expect.while_replaced(review, "approve", hold, approvals.leave)
  local stored = world.get("drafts", ID)
  expect.equal({ stored.status, stored.waiting, stored.error, stored.approvals[1].by },
    { "pending", "failed", "a second reviewer must approve it", "ann" })
  approvals.leave()
  expect.equal(#world.sent, 0)
end

tests["a policy sees who approved it as he was then"] = function()
  local world = world_with()
  local seen = {}
  expect.while_replaced(review, "approve", function(letter)
    seen[#seen + 1] = { letter.reviewer.method, letter.reviewer.roles }
    return "send"
  end, function()
    assert(approvals.approve(ID, {},
      { name = "ann", method = "iap", roles = { review = true, ops = true } }))
    world.advance(6)
    approvals.leave()
  end)
  expect.equal(seen[2], seen[1])
  expect.equal({ #world.sent, world.get("drafts", ID).approved_as }, { 1 })
end

tests["an approval without his roles is that of a reviewer"] = function()
  local world = world_with()
  assert(approve())
  local stored = world.get("drafts", ID)
  stored.approved_as = nil
  world.put("drafts", ID, stored)
  world.advance(6)
  approvals.leave()
  expect.equal(#world.sent, 1)
end

tests["what somebody else is reviewing at that moment stays approved"] = function()
  local world = world_with()
  assert(approve())
  world.advance(6)
  world.store_fails("conflict", "somebody else was first", { on = "claim" })
  approvals.leave()
  expect.equal(world.get("drafts", ID).waiting, "approved")
  approvals.leave()
  expect.equal(#world.sent, 1)
end

tests["it leaves also if the clock was set back meanwhile"] = function()
  local world = world_with()
  local draft = assert(approve())
  local function set_back(seconds)
    world.set_now(time.format(time.parse(draft.document.approved_at) - seconds))
  end
  set_back(4)
  approvals.leave()
  expect.equal(#world.sent, 0)
  set_back(3600)
  approvals.leave()
  expect.equal(#world.sent, 1)
end

tests["the brake holds what is approved"] = function()
  world_with(nil, { config = { no_send = true } })
  local _, err = approve()
  expect.equal(err.code, "no_send")
end

tests["approving twice is approving once"] = function()
  local world = world_with()
  local first = assert(approve())
  local second = assert(approve())
  expect.equal(first.version, second.version)
  world.advance(6)
  approvals.leave()
  expect.equal(#world.sent, 1)
end

tests["a hundred leave, each once"] = function()
  local world = testing.world()
  for i = 1, 100 do
    local id = ("6ba7b810-9dad-41d1-80b4-%012d"):format(i)
    world.put("drafts", id, { to = "bob@example.com", subject = "s", body = "b",
      status = "pending", created_at = world.now() })
    assert(approvals.approve(id, {}, REVIEWER))
  end
  world.advance(6)
  approvals.leave()
  expect.equal(#world.sent, 100)
  for _, stored in pairs(world.all(config.draft_collection)) do
    expect.equal(stored.status, "sent")
  end
end

return tests
