--- What becomes of a draft when something fails on its way out.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local mail = require "paraph.mail"
local store = require "paraph.store"
local time = require "paraph.time"

local CALLER = { name = "reviewer", roles = { review = true } }

local LOST = { code = "timeout", message = "there was no answer in time", unknown = true }

local function new_draft()
  local id = crypto.uuid4()
  local document = { to = "ann@example.com", subject = "Hello", body = "Hi" }
  assert(drafts.create(id, document, nil, { name = "crm", roles = {} }))
  return id
end

local function send(id)
  return delivery.send_draft(assert(drafts.load(id)), nil, CALLER)
end

local function document(id)
  return assert(drafts.load(id)).document
end

--- Run `body` with tracking on and mail.send as given.
local function with_mailer(mailer, body)
  expect.while_replaced(config, "tracking", true, function()
    expect.while_replaced(config, "pixel_base_url", "https://t.example.org", function()
      expect.while_replaced(mail, "send", mailer, body)
    end)
  end)
end

local function failing(err)
  return function() return nil, err end
end

local tests = {}

tests["the pixel and the claim are written before the mail leaves"] = function()
  local id = new_draft()
  local pixel_id = crypto.uuid5(id, "pixel")
  local seen
  with_mailer(function(_, options)
    seen = { document = document(id), options = options }
    seen.pixel = store.get(config.pixel_collection, pixel_id)
    return { id = "m1", thread_id = "t1" }
  end, function()
    expect.equal(send(id), { id = "m1", thread_id = "t1", pixel_id = pixel_id })
  end)
  expect.equal({ seen.document.status, seen.document.attempt, seen.document.pixel_id },
    { "sending", 1, pixel_id })
  assert(time.parse(seen.document.sending_since))
  expect.equal({ seen.pixel.draft_id, seen.pixel.open_count }, { id, 0 })
  expect.equal(seen.options, { key = id })
end

tests["a refused draft waits for review again"] = function()
  local id = new_draft()
  with_mailer(failing { code = "gmail_error", message = "Gmail says no" }, function()
    expect.refused("gmail_error", nil, send(id))
  end)
  local draft = document(id)
  expect.equal({ draft.status, draft.error, draft.attempt }, { "pending", "Gmail says no", 1 })
  expect.equal({ draft.sending_since, draft.pixel_id, draft.reviewed_by }, {})
  expect.equal(store.get(config.pixel_collection, crypto.uuid5(id, "pixel")), nil)
  assert(send(id))
  draft = document(id)
  expect.equal({ draft.status, draft.error, draft.attempt }, { "sent", nil, 2 })
end

tests["after an unknown outcome the claim stays"] = function()
  local id = new_draft()
  with_mailer(failing(LOST), function() expect.refused("timeout", nil, send(id)) end)
  expect.equal({ document(id).status, document(id).error }, { "sending", LOST.message })
  expect.refused("in_progress", nil, send(id))
end

tests["a claim that has outlived its lease is taken over"] = function()
  local id = new_draft()
  with_mailer(failing(LOST), function() send(id) end)
  local pixel_id = document(id).pixel_id
  local lease = 2 * config.request_timeout
  local function claimed_before(seconds)
    local since = time.format(time.parse(time.now()) - seconds)
    assert(store.update(config.draft_collection, id, { sending_since = since }))
  end
  claimed_before(lease - 10)
  expect.refused("in_progress", nil, send(id))
  claimed_before(lease + 10)
  expect.equal(assert(send(id)).pixel_id, pixel_id)
  expect.equal({ document(id).status, document(id).attempt }, { "sent", 2 })
end

tests["of two claims one is taken"] = function()
  local id = new_draft()
  local first, second = assert(drafts.load(id)), assert(drafts.load(id))
  assert(delivery.send_draft(first, nil, CALLER))
  with_mailer(function() error("sent twice") end, function()
    expect.refused("in_progress", nil, delivery.send_draft(second, nil, CALLER))
  end)
end

tests["a pixel that cannot be kept stops the send"] = function()
  local id = new_draft()
  local create = failing { code = "store_error", message = "the disk is full" }
  with_mailer(function() error("sent") end, function()
    expect.while_replaced(store, "create", create, function()
      expect.refused("store_error", nil, send(id))
    end)
  end)
  expect.equal({ document(id).status, document(id).error }, { "pending", "the disk is full" })
end

tests["marking is tried again"] = function()
  local id = new_draft()
  local update, failures = store.update, 2
  expect.while_replaced(store, "update", function(collection, of, members, options)
    if members.status == "sent" and failures > 0 then
      failures = failures - 1
      return nil, { code = "store_error", message = "busy" }
    end
    return update(collection, of, members, options)
  end, function()
    assert(send(id))
  end)
  expect.equal({ document(id).status, failures }, { "sent", 0 })
end

tests["a draft that cannot be marked was sent all the same"] = function()
  local id = new_draft()
  local update = store.update
  expect.while_replaced(store, "update", function(collection, of, members, options)
    if members.status == "sent" then return nil, { code = "store_error", message = "down" } end
    return update(collection, of, members, options)
  end, function()
    assert(send(id))
  end)
  expect.equal(document(id).status, "sending")
end

return tests
