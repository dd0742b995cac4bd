--- The review pages with documents that others have written: whatever is in them, each page is a
--- page.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local csrf = require "lib.csrf"
local draft = require "pages.draft"
local edit = require "pages.edit"
local expect = require "lib.expect"
local json = require "paraph.json"
local review = require "pages.review"
local store = require "paraph.store"
local testing = require "paraph.testing"
local time = require "paraph.time"

local CALLER = { name = "ann@example.com", method = "google", roles = { review = true } }

local function request(more)
  local req = { method = "GET", path = "/review", query = {}, headers = {}, params = {},
    id = "test", remote = "127.0.0.1", caller = CALLER }
  for name, value in pairs(more or {}) do req[name] = value end
  return req
end

local function put(members)
  local id = crypto.uuid4()
  local document = { to = "bob@example.com", subject = "s", body = "b", status = "pending",
    created_at = time.now() }
  for name, value in pairs(members) do document[name] = value end
  assert(store.create(config.draft_collection, id, document))
  return id
end

--- Whatever else there is, in the place of a text, a number or a list.
local values = { 7, -1, 1e300, true, "", "\u{202E}x\0", {}, { 1, { 2 } }, { a = { b = {} } },
  json.null }

local members = { "to", "cc", "bcc", "reply_to", "subject", "body", "from", "from_name", "format",
  "template", "vars", "status", "waiting", "held", "error", "decision", "attachments", "tracking",
  "edition", "edited_by", "edited_at", "created_by", "leaves_at", "approved_by", "approved_at",
  "approved_etag", "reviewed_by", "reviewed_at", "reject_reason", "sent_at", "pixel_id", "mode",
  "approvals", "failure", "metadata", "thread_id", "in_reply_to", "reply_headers" }

local function assert_page(reply, err)
  if not reply then error(err and err.message or "no reply", 2) end
  expect.equal(type(reply.headers["Content-Security-Policy"]), "string")
end

local tests = {}

tests["documents of any kind"] = testing.cases((function()
  local rows = {}
  for i, name in ipairs(members) do rows[i] = { name = name } end
  return rows
end)(), function(row)
  for _, value in ipairs(values) do
    local id = put { [row.name] = value }
    local on = { params = { id = id, n = "1" } }
    assert_page(draft.show(request(on)))
    assert_page(draft.html(request(on)))
    assert_page(draft.changes(request(on)))
    assert_page(edit.show(request(on)))
  end
  for _, tab in ipairs { "pending", "held", "sent", "nonsense" } do
    assert_page(review.list(request { query = { tab = tab } }))
    assert_page(review.list(request { query = { tab = tab, q = "s" } }))
  end
end)

tests["a token is for one caller"] = function()
  local token = assert(csrf.token(CALLER))
  expect.equal(csrf.check(CALLER, token), true)
  for _, other in ipairs { { name = "bob@example.com", method = "google" },
    { name = CALLER.name, method = "iap" } } do
    local _, err = csrf.check(other, token)
    expect.equal({ err.code, err.is_stale_form }, { "forbidden", true })
  end
end

return tests
