local drafts = require "lib.drafts"
local editions = require "lib.editions"
local edits = require "lib.edits"
local expect = require "lib.expect"
local history = require "lib.history"
local testing = require "paraph.testing"
local words = require "pages.words"

local ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

local function by(name)
  return { name = name, method = "key", roles = { review = true } }
end

local function new_world()
  local world = testing.world()
  world.put("drafts", ID, { to = "bob@example.com", subject = "One", body = "a\nb\nc",
    status = "pending", created_at = world.now(), created_by = "crm" })
  return world
end

local function edit(patch, name, etag)
  return edits.apply(ID, assert(edits.read(patch)), by(name or "ann"), etag)
end

local tests = {}

tests["each edit makes an edition, and the earlier ones are kept"] = function()
  local world = new_world()
  world.advance(60)
  assert(edit { subject = "Two" })
  world.advance(60)
  local draft = assert(edit({ message = "a\nx\nc" }, "bea"))
  local all = assert(editions.all(draft))
  local told = {}
  for i, edition in ipairs(all) do
    told[i] = { edition.number, edition.by, edition.document.subject, edition.document.body }
  end
  expect.equal(told, {
    { 0, "crm", "One", "a\nb\nc" }, { 1, "ann", "Two", "a\nb\nc" }, { 2, "bea", "Two", "a\nx\nc" },
  })
  expect.equal(draft.document.edited_by, { "ann", "bea" })
end

tests["an edit of nothing is none"] = function()
  new_world()
  local draft = assert(edit {})
  expect.equal({ draft.document.edition, draft.document.edited_by }, {})
end

tests["an edit of what somebody else has changed is refused"] = function()
  new_world()
  local _, err = edit({ subject = "Two" }, "ann", "0")
  expect.equal(err.code, "changed_since_review")
  expect.equal(drafts.load(ID).document.subject, "One")
end

tests["what differs between two editions is told field by field"] = function()
  new_world()
  local draft = assert(edit { subject = "Two", message = "a\nx\nc" })
  local changes = assert(history.changes(draft, 0, 1, words.en))
  local rows = {}
  for i, row in ipairs(changes.rows) do
    rows[i] = (row.is_title and "#" or row.is_removed and "-" or row.is_added and "+" or " ")
      .. (row.is_title and "" or row.text)
  end
  expect.equal(rows, { "#", "-One", "+Two", "#", " a", "-b", "+x", " c" })
  local _, err = history.changes(draft, 7, 8, words.en)
  expect.equal(err.code, "not_found")
end

return tests
