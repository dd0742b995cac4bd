--- What becomes of a draft when something fails on its way out.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local delivery = require "lib.delivery"
local direct = require "lib.direct"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local mail = require "paraph.mail"
local message = require "lib.message"
local store = require "paraph.store"
local task = require "paraph.task"
local time = require "paraph.time"
local webhooks = require "lib.webhooks"
local with_claims = require "with_claims"

local CALLER = { name = "reviewer", roles = { review = true } }

local STRAYS = config.draft_collection .. "_strays"

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

--- Run `body` with tracking on and the given functions in place of mail's.
local function with_mail(functions, body)
  local name, f = next(functions)
  if name then
    local rest = {}
    for other, g in pairs(functions) do
      if other ~= name then rest[other] = g end
    end
    return expect.while_replaced(mail, name, f, function() with_mail(rest, body) end)
  end
  expect.while_replaced(config, "tracking", true, function()
    expect.while_replaced(config, "pixel_base_url", "https://t.example.org", body)
  end)
end

local function failing(err)
  return function() return nil, err end
end

local function never() error("this must not be called") end

--- Let the claim on a draft outlive its holder.
local function outlive(id)
  local since = time.format(time.parse(time.now()) - 2 * config.request_timeout - 10)
  assert(store.update(config.draft_collection, id, { sending_since = since }))
end

local function keeps_pixel(id)
  return store.get(config.pixel_collection, crypto.uuid5(id, "pixel")) ~= nil
end

local tests = {}

tests["each step is written down before the next"] = function()
  local id = new_draft()
  local pixel_id = crypto.uuid5(id, "pixel")
  local at_create, at_send, pixel
  with_mail({
    draft_create = function()
      at_create = document(id)
      pixel = store.get(config.pixel_collection, pixel_id)
      return { id = "r1", mailbox = "me@example.org", thread_id = "t1", key = id }
    end,
    draft_send = function(_, draft)
      expect.equal(draft, { id = "r1", mailbox = "me@example.org", thread_id = "t1", key = id })
      at_send = document(id)
      return { id = "m1", thread_id = "t1" }
    end,
  }, function()
    expect.equal(send(id), { id = "m1", thread_id = "t1", pixel_id = pixel_id })
  end)
  expect.equal({ at_create.status, at_create.attempt }, { "sending", 1 })
  expect.equal(at_create.pixel_id, pixel_id)
  expect.equal(at_create.gmail_draft_id, nil)
  assert(time.parse(at_create.sending_since))
  expect.equal({ pixel.draft_id, pixel.open_count }, { id, 0 })
  expect.equal({ at_send.gmail_draft_id, at_send.gmail_mailbox, at_send.gmail_thread_id },
    { "r1", "me@example.org", "t1" })
  local sent = document(id)
  expect.equal({ sent.status, sent.message_id, sent.thread_id, sent.gmail_draft_id },
    { "sent", "m1", "t1", "r1" })
  expect.equal({ sent.gmail_mailbox, sent.gmail_thread_id, sent.sending_since }, {})
end

for step, name in ipairs { "draft_create", "draft_send" } do
  tests["a draft refused at " .. name .. " waits for review again"] = function()
    local id = new_draft()
    local deleted = 0
    with_mail({
      [name] = failing { code = "gmail_error", message = "Gmail says no" },
      draft_delete = function() deleted = deleted + 1 return true end,
    }, function()
      expect.refused("gmail_error", nil, send(id))
    end)
    local draft = document(id)
    expect.equal({ draft.status, draft.error, draft.attempt }, { "pending", "Gmail says no", 1 })
    expect.equal({ draft.sending_since, draft.pixel_id, draft.reviewed_by, draft.gmail_draft_id,
      draft.gmail_mailbox, draft.gmail_thread_id }, {})
    expect.equal({ deleted, keeps_pixel(id) }, { step - 1, false })
    assert(send(id))
    draft = document(id)
    expect.equal({ draft.status, draft.error, draft.attempt }, { "sent", nil, 2 })
  end
end

tests["a draft is withdrawn only when that is written down"] = function()
  local id = new_draft()
  with_mail({ draft_delete = never }, function()
    with_claims(function(_, members)
      if members.withdrawing then return nil, { code = "store_error", message = "down" } end
    end, function()
      expect.while_replaced(mail, "draft_send", failing { code = "gmail_error", message = "no" },
        function() expect.refused("store_error", nil, send(id)) end)
    end)
  end)
  expect.equal({ document(id).status, keeps_pixel(id) }, { "sending", true })
  outlive(id)
  assert(send(id))
  expect.equal({ document(id).status, document(id).attempt }, { "sent", 2 })
end

tests["who finds a message withdrawn gives the draft back, and sends nothing"] = function()
  local id = new_draft()
  with_mail({ draft_send = failing { code = "gmail_error", message = "no" } }, function()
    with_claims(function(step)
      if step == "pending" then return nil, { code = "store_error", message = "down" } end
    end, function() expect.refused("gmail_error", nil, send(id)) end)
  end)
  local draft = document(id)
  expect.equal({ draft.status, draft.withdrawing, draft.error }, { "sending", true, "no" })
  outlive(id)
  with_mail({
    draft_send = never, draft_create = never,
    draft_exists = function() return false, { sent = false } end,
  }, function() expect.refused("gmail_error", nil, send(id)) end)
  draft = document(id)
  expect.equal({ draft.status, draft.error, draft.withdrawing, draft.gmail_draft_id },
    { "pending", "no" })
  assert(send(id))
end

tests["a message that cannot be withdrawn any more has left"] = function()
  local id = new_draft()
  local draft_send, draft_delete = mail.draft_send, mail.draft_delete
  with_mail({
    draft_send = failing { code = "gmail_error", message = "no" },
    draft_delete = function(draft)
      local claim = assert(store.claim(config.draft_collection, id,
        assert(drafts.load(id)).version, {}))
      assert(draft_send(claim, draft)) -- somebody slower, whose claim had run out
      return draft_delete(draft)
    end,
  }, function()
    expect.equal(assert(send(id)).id, id)
  end)
  expect.equal({ document(id).status, document(id).message_id, document(id).error }, { "sent", id })
end

local gone_while_withdrawn = {
  draft_send = failing { code = "gmail_error", message = "no" },
  draft_delete = function() return false end,
  draft_exists = function() return false, {} end,
}

tests["what is gone before anybody withdrew it was sent"] = function()
  local id = new_draft()
  with_mail(gone_while_withdrawn, function() assert(send(id)) end)
  expect.equal({ document(id).status, document(id).withdrawing }, { "sent" })
end

tests["what is gone after somebody withdrew it, and cannot be looked for, is for a person"] =
  function()
    local id = new_draft()
    assert(store.update(config.draft_collection, id, { status = "sending", withdrawing = true,
      gmail_draft_id = "r1", gmail_mailbox = mail.default_sender() }))
    outlive(id)
    with_mail(gone_while_withdrawn, function()
      expect.holds(expect.refused("gmail_error", nil, send(id)).message, "look into the mailbox")
    end)
    expect.equal(document(id).status, "pending")
  end

tests["an attempt whose answer was lost is not sent again after a refusal of its successor"] =
  function()
    local id = new_draft()
    local draft_send = mail.draft_send
    with_mail({
      draft_send = function(claim, draft)
        draft_send(claim, draft)
        return nil, LOST
      end,
      draft_exists = failing(LOST),
    }, function() expect.refused("timeout", nil, send(id)) end)
    outlive(id)
    with_mail({ draft_send = failing { code = "rate_limited", message = "slowly" } }, function()
      expect.equal(assert(send(id)).id, id)
    end)
    expect.equal({ document(id).status, document(id).message_id }, { "sent", id })
  end

tests["an answer that was lost is found"] = function()
  local id = new_draft()
  local draft_send = mail.draft_send
  with_mail({
    draft_send = function(claim, draft)
      assert(draft_send(claim, draft))
      return nil, LOST
    end,
  }, function()
    expect.equal(assert(send(id)).id, id)
  end)
  expect.equal({ document(id).status, document(id).message_id, document(id).error },
    { "sent", id, nil })
end

tests["what is gone was sent, though nobody knows as what"] = function()
  local id = new_draft()
  with_mail({
    draft_send = failing { code = "not_found", message = "there is no such draft" },
    draft_exists = function() return false, {} end,
  }, function()
    local sent = assert(send(id))
    expect.equal({ sent.id, sent.thread_id }, {})
  end)
  expect.equal({ document(id).status, document(id).message_id }, { "sent", nil })
end

tests["a mailbox that has what it does not find is at fault, and nobody knows yet"] = function()
  local id = new_draft()
  with_mail({
    draft_send = failing { code = "not_found", message = "there is no such draft" },
    draft_exists = function() return true end,
  }, function() expect.refused("gmail_error", nil, send(id)) end)
  expect.equal(document(id).status, "sending")
end

--- Somebody takes the claim on a draft over, and withdraws it.
local function take_over(id)
  assert(store.claim(config.draft_collection, id, assert(drafts.load(id)).version,
    { withdrawing = true }))
end

for name, functions in pairs {
  sent = function(id)
    return {
      draft_send = failing { code = "not_found", message = "there is no such draft" },
      draft_exists = function() take_over(id) return false, {} end,
    }
  end,
  withdrawn = function(id)
    return {
      draft_send = failing { code = "gmail_error", message = "no" },
      draft_delete = function() take_over(id) return false end,
      draft_exists = function() return false, {} end,
    }
  end,
} do
  tests["what is gone does not count as sent once the claim is lost: " .. name] = function()
    local id = new_draft()
    with_mail(functions(id), function()
      assert(expect.refused("in_progress", nil, send(id)).unknown)
    end)
    expect.equal({ document(id).status, document(id).withdrawing }, { "sending", true })
  end
end

tests["what is still there is sent again"] = function()
  local id = new_draft()
  local draft_send, calls = mail.draft_send, 0
  with_mail({
    draft_send = function(claim, draft)
      calls = calls + 1
      if calls == 1 then return nil, LOST end
      return draft_send(claim, draft)
    end,
    draft_delete = never,
  }, function()
    assert(send(id))
  end)
  expect.equal({ document(id).status, calls }, { "sent", 2 })
end

tests["after an attempt without an answer a refusal settles nothing"] = function()
  local id = new_draft()
  local calls = 0
  with_mail({
    draft_send = function()
      calls = calls + 1
      if calls == 1 then return nil, LOST end
      return nil, { code = "rate_limited", message = "slowly" }
    end,
    draft_delete = never,
  }, function()
    expect.refused("rate_limited", nil, send(id))
  end)
  expect.equal({ document(id).status, document(id).error, calls }, { "sending", "slowly", 2 })
end

tests["after an unknown outcome the claim stays, until its lease is over"] = function()
  local id = new_draft()
  with_mail({ draft_send = failing(LOST), draft_exists = failing(LOST), draft_delete = never },
    function() expect.refused("timeout", nil, send(id)) end)
  local draft = document(id)
  expect.equal({ draft.status, draft.error, draft.pixel_id },
    { "sending", LOST.message, crypto.uuid5(id, "pixel") })
  assert(keeps_pixel(id))
  expect.refused("in_progress", nil, send(id))
  outlive(id)
  with_mail({ draft_create = never }, function()
    expect.equal(assert(send(id)).pixel_id, draft.pixel_id)
  end)
  expect.equal({ document(id).status, document(id).attempt, document(id).gmail_draft_id },
    { "sent", 2, draft.gmail_draft_id })
end

--- A draft whose claim is over, and whose message still waits in the mailbox.
local function left_staged()
  local id = new_draft()
  with_mail({ draft_send = failing(LOST), draft_exists = failing(LOST) },
    function() expect.refused("timeout", nil, send(id)) end)
  outlive(id)
  return id, crypto.uuid5(id, "pixel")
end

tests["a pixel does not outlive a send that is taken over, and refused"] = function()
  local id = left_staged()
  with_mail({ draft_send = failing { code = "gmail_error", message = "no" } },
    function() expect.refused("gmail_error", nil, send(id)) end)
  expect.equal({ document(id).status, keeps_pixel(id) }, { "pending", false })
end

tests["nor one that is withdrawn, and given back by the next holder"] = function()
  local id = left_staged()
  assert(store.update(config.draft_collection, id, { withdrawing = true, error = "no" }))
  with_mail({}, function() expect.refused("gmail_error", nil, send(id)) end)
  expect.equal({ document(id).status, keeps_pixel(id) }, { "pending", false })
end

tests["the pixel of a send that is taken over tells when it left"] = function()
  for opens, created_at in pairs { [0] = false, [1] = "2020-01-01T00:00:00Z" } do
    local id, pixel_id = left_staged()
    assert(store.update(config.pixel_collection, pixel_id,
      { created_at = "2020-01-01T00:00:00Z", open_count = opens }))
    with_mail({}, function() assert(send(id)) end)
    local pixel = store.get(config.pixel_collection, pixel_id)
    if not created_at then
      expect.equal(time.parse(pixel.created_at) >= time.parse(document(id).created_at), true)
    else
      expect.equal({ pixel.created_at, pixel.open_count }, { created_at, 1 })
    end
  end
end

tests["a claim without a draft is taken over from the start"] = function()
  local id = new_draft()
  assert(store.update(config.draft_collection, id, { status = "sending", attempt = 1 }))
  outlive(id)
  assert(send(id))
  expect.equal({ document(id).status, document(id).attempt }, { "sent", 2 })
end

tests["who has lost his claim takes his draft away"] = function()
  local id = new_draft()
  local draft_create, draft_delete = mail.draft_create, mail.draft_delete
  local staged, deleted
  with_mail({
    draft_create = function(claim, built)
      staged = assert(draft_create(claim, built))
      assert(store.update(config.draft_collection, id, { attempt = 7, gmail_draft_id = "other" }))
      return staged
    end,
    draft_delete = function(draft)
      deleted = draft.id
      return draft_delete(draft)
    end,
    draft_send = never,
  }, function()
    expect.refused("in_progress", nil, send(id))
  end)
  expect.equal(deleted, staged.id)
  expect.equal({ document(id).status, document(id).attempt, keeps_pixel(id) },
    { "sending", 7, true })
end

tests["a draft that was written down all the same stays"] = function()
  local id = new_draft()
  with_mail({ draft_delete = never }, function()
    with_claims(function(_, members)
      if not members.gmail_draft_id then return end
      assert(store.update(config.draft_collection, id, members))
      return nil, { code = "conflict", message = "the answer was lost, and the repetition refused" }
    end, function()
      expect.while_replaced(mail, "draft_send", never, function()
        expect.refused("in_progress", nil, send(id))
      end)
    end)
  end)
  expect.equal(document(id).status, "sending")
  outlive(id)
  assert(send(id))
  expect.equal(document(id).status, "sent")
end

tests["a message that cannot be written down is taken out of the mailbox"] = function()
  local id = new_draft()
  with_claims(function(_, members)
    if members.gmail_draft_id and not members.withdrawing then
      return nil, { code = "store_error", message = "the disk is full" }
    end
  end, function() expect.refused("store_error", nil, send(id)) end)
  expect.equal({ document(id).status, document(id).error }, { "pending", "the disk is full" })
  expect.equal(mail.drafts_of(id), {})
end

tests["a message that nobody wrote down is removed by whoever takes the claim over"] = function()
  local id = new_draft()
  with_mail({ draft_delete = never }, function()
    with_claims(failing { code = "store_error", message = "down" }, function()
      expect.refused("store_error", nil, send(id))
    end)
  end)
  expect.equal({ document(id).status, document(id).gmail_draft_id }, { "sending" })
  outlive(id)
  expect.equal(#assert(mail.drafts_of(id)), 1)
  with_mail({}, delivery.sweep)
  expect.equal({ document(id).status, document(id).reviewed_by }, { "sent", CALLER.name })
  expect.equal(mail.drafts_of(id), {})
end

tests["who has lost his claim leaves the strays that he found alone"] = function()
  local id = new_draft()
  with_mail({}, function()
    with_claims(failing { code = "store_error", message = "down" }, function()
      expect.refused("store_error", nil, send(id))
    end)
  end)
  outlive(id)
  local drafts_of = mail.drafts_of
  with_mail({
    drafts_of = function(...)
      local found = assert(drafts_of(...))
      assert(store.update(config.draft_collection, id, { attempt = 9 }))
      return found
    end,
    draft_delete = never, draft_create = never,
  }, function() expect.refused("in_progress", nil, send(id)) end)
  expect.equal({ document(id).status, document(id).attempt }, { "sending", 9 })
end

--- mail.draft_create that makes a draft, and has no answer the first `times`.
local function answerless(times)
  local draft_create = mail.draft_create
  return function(claim, built)
    local staged = assert(draft_create(claim, built))
    times = times - 1
    if times >= 0 then return nil, LOST end
    return staged
  end
end

--- The sweep, long after.
local function sweep_later()
  local now = time.now
  expect.while_replaced(time, "now", function()
    return time.format(time.parse(now()) + 2 * config.request_timeout + 10)
  end, delivery.sweep)
end

tests["without an answer another draft is made, and the sweep removes the first"] = function()
  local id = new_draft()
  with_mail({ draft_create = answerless(1) }, function() assert(send(id)) end)
  expect.equal({ document(id).status, #mail.drafts_of(id) }, { "sent", 1 })
  delivery.sweep() -- too early: a request may still be under way
  expect.equal(#mail.drafts_of(id), 1)
  sweep_later()
  expect.equal({ mail.drafts_of(id), (store.get(STRAYS, id)) }, { {} })
end

tests["without any answer the draft waits for review again, and the sweep removes the strays"] =
  function()
    local id = new_draft()
    with_mail({ draft_create = answerless(2) }, function()
      expect.refused("timeout", nil, send(id))
    end)
    expect.equal({ document(id).status, document(id).error, #mail.drafts_of(id) },
      { "pending", LOST.message, 2 })
    sweep_later()
    expect.equal({ document(id).status, mail.drafts_of(id), (store.get(STRAYS, id)) },
      { "pending", {} })
    assert(send(id))
  end

tests["a draft that the sweep came to its end over is not sent, but given back"] = function()
  local id = new_draft()
  with_mail({ draft_create = answerless(2) }, function()
    expect.refused("timeout", nil, send(id))
  end)
  with_claims(function(step)
    if step == "pending" then return nil, { code = "store_error", message = "down" } end
  end, sweep_later)
  expect.equal({ document(id).status, mail.drafts_of(id) }, { "sending", {} })
  outlive(id)
  with_mail({ draft_create = never, draft_send = never, send = never }, delivery.sweep)
  expect.equal({ document(id).status, document(id).withdrawing }, { "pending" })
end

tests["strays are expected anew while the sweep forgets earlier ones"] = function()
  local id = new_draft()
  local update = store.update
  assert(store.create(STRAYS, id, { created_at = "2020-01-01T00:00:00Z" }))
  expect.while_replaced(store, "update", function(collection, ...)
    if collection == STRAYS then assert(store.delete(STRAYS, id)) end
    return update(collection, ...)
  end, function()
    with_mail({ draft_create = answerless(1) }, function() assert(send(id)) end)
  end)
  sweep_later()
  expect.equal(mail.drafts_of(id), {})
end

tests["strays are left alone while somebody may write one down"] = function()
  local id = new_draft()
  with_mail({ draft_create = answerless(2) }, function()
    expect.refused("timeout", nil, send(id))
  end)
  assert(store.update(config.draft_collection, id,
    { status = "sending", sending_since = time.format(time.parse(time.now()) + 999) }))
  with_mail({ draft_delete = never }, function()
    expect.while_replaced(config, "request_timeout", 1000, function()
      assert(store.update(STRAYS, id, { created_at = "2020-01-01T00:00:00Z" }))
      delivery.sweep()
    end)
  end)
  expect.equal(#mail.drafts_of(id), 2)
end

tests["a message that was not the approved one is not sent by whoever takes the claim over"] =
  function()
    local id = new_draft()
    local create = store.create
    with_mail({ draft_create = failing(LOST) }, function()
      expect.while_replaced(store, "create", function(collection, ...)
        if collection == STRAYS then return nil, { code = "store_error", message = "down" } end
        return create(collection, ...)
      end, function() expect.refused("store_error", nil, send(id)) end)
    end)
    expect.equal(document(id).status, "sending")
    outlive(id)
    with_mail({
      signature = function() return "another one" end, draft_create = never, send = never,
    }, delivery.sweep)
    local draft = document(id)
    expect.equal({ draft.status, draft.reviewed_etag }, { "pending" })
    expect.holds(draft.error, "approved")
  end

tests["the sweep finishes what is abandoned, and nothing else"] = function()
  local abandoned, held, waiting = new_draft(), new_draft(), new_draft()
  for _, id in ipairs { abandoned, held } do
    with_mail({ draft_send = failing(LOST), draft_exists = failing(LOST) }, function()
      expect.refused("timeout", nil, send(id))
    end)
  end
  outlive(abandoned)
  delivery.sweep()
  expect.equal({ document(abandoned).status, document(held).status, document(waiting).status },
    { "sent", "sending", "pending" })
end

tests["a claim whose message nobody can find is given back with the question"] = function()
  local id = new_draft()
  for _, members in ipairs { { gmail_draft_id = 7, gmail_mailbox = "x" }, { gmail_draft_id = "r" } }
  do
    members.status = "sending"
    assert(store.update(config.draft_collection, id, members))
    outlive(id)
    with_mail({ draft_send = never, draft_create = never }, delivery.sweep)
    expect.equal({ document(id).status, document(id).gmail_draft_id }, { "pending" })
    expect.holds(document(id).error, "look into the mailbox")
  end
end

tests["the sweep passes over what it fails at"] = function()
  local bad, good = new_draft(), new_draft()
  for _, id in ipairs { bad, good } do
    assert(store.update(config.draft_collection, id, { status = "sending" }))
    outlive(id)
  end
  local build = message.build
  expect.while_replaced(message, "build", function(id, ...)
    if id == bad then error("a broken policy") end
    return build(id, ...)
  end, delivery.sweep)
  expect.equal({ document(bad).status, document(good).status }, { "sending", "sent" })
end

tests["a claim from a time that the clock was set back from is taken over"] = function()
  local id = new_draft()
  local since = time.format(time.parse(time.now()) + 2 * config.request_timeout + 10)
  assert(store.update(config.draft_collection, id, { status = "sending", sending_since = since }))
  assert(send(id))
end

tests["without a held claim nothing is sent"] = function()
  local id, other = new_draft(), new_draft()
  local draft = assert(drafts.load(id))
  local built = assert(message.build(id, draft.document, {}))
  local claim = assert(store.claim(config.draft_collection, id, draft.version, {}))
  local staged = assert(mail.draft_create(claim, built))
  local foreign = assert(store.claim(config.draft_collection, other,
    assert(drafts.load(other)).version, {}))
  expect.raises("another draft", mail.draft_send, foreign, staged)
  expect.raises("another draft", mail.draft_create, foreign, built)
  expect.raises("paraph.claim expected", mail.draft_send, {}, staged)

  assert(store.update(config.draft_collection, id, { attempt = 7 }))
  expect.refused("conflict", nil, claim:note { error = "x" })
  expect.raises("not held", mail.draft_send, claim, staged)
  expect.raises("not held", mail.draft_create, claim, built)

  assert(foreign:finish("pending", {}))
  expect.raises("not held", mail.draft_create, foreign,
    assert(message.build(other, document(other), {})))
  expect.equal(mail.draft_delete(staged), true)
  expect.equal(mail.draft_delete(staged), false)
end

--- mail.draft_create where the mailbox keeps no drafts for us.
local function no_drafts() return nil end

tests["without drafts a message is sent as it is"] = function()
  local id = new_draft()
  local seen
  with_mail({
    draft_create = no_drafts,
    send = function()
      seen = document(id)
      return { id = "m1", thread_id = "t1" }
    end,
  }, function()
    expect.equal(send(id).id, "m1")
  end)
  expect.equal({ seen.status, seen.unsettled, seen.gmail_draft_id }, { "sending", true, nil })
  expect.equal({ document(id).status, document(id).unsettled }, { "sent", nil })
end

tests["without drafts a refusal is a refusal"] = function()
  local id = new_draft()
  with_mail({ draft_create = no_drafts, send = failing { code = "gmail_error", message = "no" } },
    function() expect.refused("gmail_error", nil, send(id)) end)
  expect.equal({ document(id).status, document(id).unsettled }, { "pending", nil })
end

tests["without drafts an unknown outcome is for a person to settle"] = function()
  local id = new_draft()
  with_mail({ draft_create = no_drafts, send = failing(LOST) },
    function() expect.refused("timeout", nil, send(id)) end)
  expect.equal({ document(id).status, document(id).unsettled }, { "sending", true })
  outlive(id)
  with_mail({ draft_create = never, send = never }, function()
    expect.holds(expect.refused("gmail_error", nil, send(id)).message, "look into the mailbox")
  end)
  local draft = document(id)
  expect.equal({ draft.status, draft.unsettled }, { "pending", nil })
  expect.holds(draft.error, "look into the mailbox")
end

tests["what a draft answers is fixed when it is claimed"] = function()
  local id = new_draft()
  assert(store.update(config.draft_collection, id, { thread_id = "t1" }))
  local headers = { in_reply_to = "1@x.org", references = "<0@x.org> <1@x.org>", thread_id = "t1" }
  local asked = 0
  with_mail({
    reply_headers = function(thread_id, in_reply_to)
      expect.equal({ thread_id, in_reply_to }, { "t1" })
      asked = asked + 1
      return headers
    end,
  }, function()
    assert(send(id))
  end)
  expect.equal(asked, 1)
  local draft = assert(drafts.load(id))
  expect.equal(draft.document.reply_headers, headers)
  with_mail({ reply_headers = never }, function()
    local built = assert(message.build(id, draft.document, {}))
    expect.holds(built:bytes():string(), "\r\nIn-Reply-To: <1@x.org>\r\n")
    expect.holds(built:bytes():string(), "\r\nReferences: <0@x.org> <1@x.org>\r\n")
  end)
end

tests["a thread that cannot be answered stops the send"] = function()
  local id = new_draft()
  assert(store.update(config.draft_collection, id, { thread_id = "t1" }))
  local err = { code = "invalid_field", field = "thread_id", message = "there is no such thread" }
  with_mail({ reply_headers = failing(err), draft_create = never }, function()
    expect.refused("invalid_field", "thread_id", send(id))
  end)
  expect.equal(document(id).status, "pending")
end

tests["of two claims one is taken"] = function()
  local id = new_draft()
  local first, second = assert(drafts.load(id)), assert(drafts.load(id))
  assert(delivery.send_draft(first, nil, CALLER))
  with_mail({ draft_create = never, send = never }, function()
    expect.refused("in_progress", nil, delivery.send_draft(second, nil, CALLER))
  end)
end

tests["a pixel that cannot be kept stops the send"] = function()
  local id = new_draft()
  local create = failing { code = "store_error", message = "the disk is full" }
  with_mail({ draft_create = never }, function()
    expect.while_replaced(store, "create", create, function()
      expect.refused("store_error", nil, send(id))
    end)
  end)
  expect.equal({ document(id).status, document(id).error }, { "pending", "the disk is full" })
end

tests["a pixel that a later attempt has opened is not taken away by an earlier one"] = function()
  local id = new_draft()
  local delete, again = store.delete, false
  with_mail({}, function()
    expect.while_replaced(store, "delete", function(collection, ...)
      if collection == config.pixel_collection and not again then
        again = true
        assert(send(id))
      end
      return delete(collection, ...)
    end, function()
      local draft_create = mail.draft_create
      expect.while_replaced(mail, "draft_create", function(...)
        if again then return draft_create(...) end
        return nil, { code = "gmail_error", message = "no" }
      end, function() expect.refused("gmail_error", nil, send(id)) end)
    end)
  end)
  expect.equal({ document(id).status, again, keeps_pixel(id) }, { "sent", true, true })
end

tests["a pixel that is taken away while it is written anew is made again"] = function()
  local id = new_draft()
  local pixel_id = crypto.uuid5(id, "pixel")
  local update = store.update
  assert(store.create(config.pixel_collection, pixel_id, { to = "old" }))
  with_mail({}, function()
    expect.while_replaced(store, "update", function(collection, ...)
      if collection == config.pixel_collection then
        assert(store.delete(collection, pixel_id))
      end
      return update(collection, ...)
    end, function() assert(send(id)) end)
  end)
  expect.equal(store.get(config.pixel_collection, pixel_id).to, "ann@example.com")
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

--- Send what is no draft: what came of it, and the id of its pixel.
local function send_now()
  local id = crypto.uuid4()
  local document_of = { to = "ann@example.com", subject = "Hello", body = "Hi" }
  local pixel_id = crypto.uuid5(id, "pixel")
  local built = assert(message.build(id, document_of, {}, pixel_id))
  local sent, err = direct.send(built, document_of, pixel_id)
  return sent, err, pixel_id
end

local function pixel(pixel_id) return store.get(config.pixel_collection, pixel_id) end

tests["a direct send and its pixel are under way at once"] = function()
  local create, started, met = store.create, {}, 0
  local function meet(name)
    started[name] = true
    for _ = 1, 200 do
      if started.mail and started.pixel then met = met + 1 break end
      task.sleep(5)
    end
  end
  with_mail({
    send = function() meet("mail") return { id = "m1", thread_id = "t1" } end,
  }, function()
    expect.while_replaced(store, "create", function(...)
      meet("pixel")
      return create(...)
    end, function()
      local sent, _, pixel_id = send_now()
      expect.equal(sent, { id = "m1", thread_id = "t1", pixel_id = pixel_id })
      expect.equal(pixel(pixel_id).open_count, 0)
    end)
  end)
  expect.equal(met, 2)
end

tests["a direct send that is refused has no pixel"] = function()
  with_mail({ send = failing { code = "gmail_error", message = "no" } }, function()
    local sent, err, pixel_id = send_now()
    expect.refused("gmail_error", nil, sent, err)
    expect.equal(pixel(pixel_id), nil)
  end)
end

tests["a direct send that cannot be begun is told of as one that nobody knows of"] = function()
  local told
  expect.while_replaced(task, "all", function() return nil, LOST end, function()
    expect.while_replaced(webhooks, "tell", function(event, _, changes)
      told = { event, changes.unknown }
    end, function()
      local sent, err = send_now()
      expect.refused("timeout", nil, sent, err)
      expect.equal(err.unknown, true)
    end)
  end)
  expect.equal(told, { "send.failed", true })
end

tests["a direct send that may have left keeps its pixel"] = function()
  with_mail({ send = failing(LOST) }, function()
    local sent, err, pixel_id = send_now()
    expect.refused("timeout", nil, sent, err)
    expect.equal(pixel(pixel_id).open_count, 0)
  end)
end

tests["a direct send whose pixel fails has left all the same"] = function()
  local create, failures = store.create, 1
  local function failing_create(...)
    failures = failures - 1
    if failures >= 0 then return nil, { code = "store_error", message = "busy" } end
    return create(...)
  end
  with_mail({}, function()
    expect.while_replaced(store, "create", failing_create, function()
      local sent, _, pixel_id = send_now()
      expect.equal({ sent.pixel_id, pixel(pixel_id).open_count }, { pixel_id, 0 })
      failures = 2
      sent, _, pixel_id = send_now()
      assert(sent.id)
      expect.equal({ sent.pixel_id, pixel(pixel_id) }, {})
    end)
  end)
end

return tests
