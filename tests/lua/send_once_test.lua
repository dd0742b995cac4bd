--- POST / and POST /send-draft with an Idempotency-Key: what an operation leaves in the store, and
--- how the next attempt goes on from there.

local api = require "api.drafts"
local approvals = require "lib.approvals"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local json = require "paraph.json"
local limits = require "policy.limits"
local mail = require "paraph.mail"
local messages = require "api.messages"
local quota = require "lib.quota"
local review = require "policy.review"
local store = require "paraph.store"
local testing = require "paraph.testing"
local time = require "paraph.time"
local with_claims = require "with_claims"

local EVERYTHING = { draft = true, send = true, review = true, ops = true }
local CALLER = { name = "crm", roles = EVERYTHING }
local LOST = { code = "timeout", message = "there was no answer in time", unknown = true }
local REFUSED = { code = "gmail_error", message = "Gmail says no" }

--- A request with a key of its own.
local function request(path, body)
  return {
    method = "POST", path = path, query = {}, params = {}, id = "test", remote = "127.0.0.1",
    headers = { ["idempotency-key"] = crypto.uuid4() }, caller = CALLER,
    body = testing.blob(json.encode(body)),
  }
end

--- Post a request as often as one likes: the same bytes, come anew.
local function post(req)
  local again = {}
  for name, value in pairs(req) do again[name] = value end
  again.body = req.body:slice(1)
  return messages.post(again)
end

local function letter(more)
  local body = { to = "ann@example.com", subject = "Hello", message = "Hi", mode = "send" }
  for name, value in pairs(more or {}) do body[name] = value end
  return request("/", body)
end

local function new_draft()
  local id = crypto.uuid4()
  local document = { to = "ann@example.com", subject = "Hello", body = "Hi" }
  assert(drafts.create(id, document, nil, CALLER))
  return id
end

local function document(id) return assert(drafts.load(id)).document end

local function failing(err)
  return function()
    local copy = {}
    for name, value in pairs(err) do copy[name] = value end
    return nil, copy
  end
end

local function never() error("this must not be called") end

--- Run `body` with other functions in place of a module's.
local function with(module, functions, body)
  local name, f = next(functions)
  if not name then return body() end
  local rest = {}
  for other, g in pairs(functions) do
    if other ~= name then rest[other] = g end
  end
  expect.while_replaced(module, name, f, function() with(module, rest, body) end)
end

--- Run `body` so that nothing may leave.
local function quietly(body)
  with(mail, { draft_create = never, draft_send = never, send = never }, body)
end

--- Run `body` when every claim of now has outlived its holder.
local function after_the_lease(body)
  local now = time.now
  expect.while_replaced(time, "now", function()
    return time.format(time.parse(now()) + 2 * config.request_timeout + 10)
  end, body)
end

--- All writes fail from the one for which `is_last(collection, id, members)` is true: what a crash
--- there leaves. Of the writes of a claim only the members are known.
local function crash_at(is_last, body)
  local dead = false
  local function dying(f)
    return function(...)
      dead = dead or is_last(...)
      if dead then return nil, { code = "store_error", message = "down" } end
      return f(...)
    end
  end
  with(store, { create = dying(store.create), update = dying(store.update),
    delete = dying(store.delete) }, function()
    with_claims(function(_, members)
      dead = dead or is_last(nil, nil, members)
      if dead then return nil, { code = "store_error", message = "down" } end
    end, body)
  end)
end

--- The drafts that there are now and were not before `body`.
local function drafts_made(body)
  local function ids()
    local found = {}
    for _, row in ipairs(assert(store.query(config.draft_collection, { limit = 200 })).documents) do
      found[row.id] = row.document
    end
    return found
  end
  local before, made = ids(), {}
  body()
  for id, found in pairs(ids()) do
    if not before[id] then made[#made + 1] = { id = id, document = found } end
  end
  return made
end

--- Post what has been answered; the answer must be the same, and nothing else may happen.
local function expect_replay(ask, req, first)
  quietly(function()
    local reply = assert(ask(req))
    expect.equal({ reply.headers, reply.body },
      { { ["Idempotency-Replayed"] = "true" }, json.encode(first.json) })
  end)
end

local tests = {}

--- POST /, sends

tests["a send with a key is a draft that nobody reviews"] = function()
  local req = letter { metadata = { deal = 42 } }
  local reply
  local made = drafts_made(function()
    local at_send
    local draft_send = mail.draft_send
    with(mail, {
      send = never,
      draft_send = function(claim, draft)
        at_send = document(draft.key)
        return draft_send(claim, draft)
      end,
    }, function() reply = assert(post(req)) end)
    expect.equal({ at_send.status, at_send.mode, at_send.attempt, at_send.created_by },
      { "sending", "send", 1, "crm" })
    assert(time.parse(at_send.sending_since) and at_send.gmail_draft_id)
    expect_replay(post, req, reply)
  end)
  expect.equal(#made, 1)
  local kept = made[1].document
  expect.equal({ reply.json.mode, reply.json.id, reply.json.thread_id },
    { "send", kept.message_id, kept.thread_id })
  expect.equal({ kept.status, kept.mode, kept.body, kept.metadata.deal, kept.reviewed_by },
    { "sent", "send", "Hi", 42, nil })
  expect.equal({ kept.sending_since, kept.error }, {})
end

tests["a send with a key is tracked like any other"] = function()
  with(config, { tracking = true, pixel_base_url = "https://t.example.org" }, function()
    local made = drafts_made(function()
      local req = letter()
      local reply = assert(post(req))
      local pixel = assert(store.get(config.pixel_collection, reply.json.pixel_id))
      expect.equal(pixel.open_count, 0)
      expect_replay(post, req, reply)
    end)
    expect.equal(made[1].document.pixel_id, crypto.uuid5(made[1].id, "pixel"))
  end)
end

tests["a send with a key keeps its attachments until it has left"] = function()
  local req = letter { attachments = { { filename = "a.txt", content = "aGVsbG8=" } } }
  with(mail, { draft_create = failing(LOST) }, function()
    expect.refused("timeout", nil, post(req))
  end)
  local built
  after_the_lease(function()
    local draft_create = mail.draft_create
    with(mail, {
      draft_create = function(claim, message)
        built = message
        return draft_create(claim, message)
      end,
    }, function() assert(post(req)) end)
  end)
  expect.holds(built:bytes():string(), "aGVsbG8=")
end

tests["what a send with a key answers is fixed by its first attempt"] = function()
  local req = letter { thread_id = "t1" }
  local headers = { in_reply_to = "1@x.org", references = "<1@x.org>", thread_id = "t1" }
  local asked = 0
  with(mail, {
    reply_headers = function()
      asked = asked + 1
      return headers
    end,
  }, function()
    local made = drafts_made(function() assert(post(req)) end)
    expect.equal(made[1].document.reply_headers, headers)
  end)
  expect.equal(asked, 1)
end

tests["a send that is surely refused waits, for its key or for a review"] = function()
  with(config, { tracking = true, pixel_base_url = "https://t.example.org" }, function()
    for _, step in ipairs { "draft_create", "draft_send" } do
      local req = letter()
      local pixel_id
      local create = store.create
      local made = drafts_made(function()
        expect.while_replaced(store, "create", function(collection, id, ...)
          if collection == config.pixel_collection then pixel_id = id end
          return create(collection, id, ...)
        end, function()
          with(mail, { [step] = failing(REFUSED) }, function()
            expect.refused("gmail_error", nil, post(req))
          end)
        end)
      end)
      local id, kept = made[1].id, made[1].document
      expect.equal({ #made, kept.status, kept.error, kept.mode, kept.held },
        { 1, "pending", "Gmail says no", "send" })
      expect.equal(store.get(config.pixel_collection, pixel_id), nil)
      local reply = assert(post(req))
      expect_replay(post, req, reply)
      kept = document(id)
      expect.equal({ kept.status, kept.attempt, kept.message_id, kept.reviewed_by, kept.error },
        { "sent", 2, reply.json.id })
    end
  end)
end

--- A send that was refused: its request, and its draft.
local function refused_send()
  local req = letter()
  local made = drafts_made(function()
    with(mail, { draft_create = failing(REFUSED) }, function()
      expect.refused("gmail_error", nil, post(req))
    end)
  end)
  return req, made[1].id
end

tests["what a person does to a refused send is done to it"] = function()
  local req, id = refused_send()
  local sent = assert(api.send(request("/send-draft", { draft_id = id }))).json
  expect.equal(document(id).reviewed_by, "crm")
  quietly(function() expect.equal(assert(post(req)).json.id, sent.message_id) end)

  req, id = refused_send()
  local edit = request("/", { subject = "Other" })
  edit.params.id = id
  assert(api.patch(edit))
  quietly(function()
    expect.equal(assert(post(req)).json, { status = "ok", mode = "draft", draft_id = id })
  end)

  req, id = refused_send()
  local rejection = request("/", {})
  rejection.params.id = id
  assert(api.reject(rejection))
  quietly(function() expect.refused("rejected", nil, post(req)) end)
end

tests["a refused send that a reviewer has approved is left to him"] = function()
  local req, id = refused_send()
  assert(approvals.approve(id, {}, CALLER))
  quietly(function()
    expect.equal(assert(post(req)).json, { status = "ok", mode = "draft", draft_id = id })
  end)
  expect.equal(document(id).waiting, "approved")
end

tests["a send that is tried again is counted as any other"] = function()
  local name = crypto.uuid4()
  local limit = { name = name, most = 1, count = 1 }
  local function counted() return assert(quota.load({ limit }, time.date()))[1].used end
  with(limits, { of = function() return { limit } end }, function()
    local first, id = refused_send()
    local second, other = refused_send()
    expect.equal(counted(), 0)
    with(mail, { draft_create = failing(REFUSED) }, function()
      expect.refused("gmail_error", nil, post(first))
    end)
    expect.equal(counted(), 0)
    assert(post(first))
    expect.equal({ document(id).status, counted() }, { "sent", 1 })

    local held = "1 messages a day: " .. name
    quietly(function()
      local reply = assert(post(second))
      expect.equal(reply.json, { status = "ok", mode = "draft", draft_id = other, held = held })
      expect_replay(post, second, reply)
    end)
    local kept = document(other)
    expect.equal({ kept.status, kept.waiting, kept.held, kept.mode, kept.decision.rule, counted() },
      { "pending", "held", held, nil, "limits.of", 1 })
  end)
end

tests["a send that is settled was counted before"] = function()
  local limit = { name = crypto.uuid4(), most = 1, count = 1 }
  with(limits, { of = function() return { limit } end }, function()
    local req = letter()
    with(mail, { draft_send = failing(LOST), draft_exists = failing(LOST) }, function()
      expect.refused("timeout", nil, post(req))
    end)
    after_the_lease(function() assert(post(req)) end)
  end)
  expect.equal(assert(quota.load({ limit }, time.date()))[1].used, 1)
end

tests["the rules of this moment decide on a send that is tried again"] = function()
  local req, id = refused_send()
  quietly(function()
    with(review, { decide = function() return "refuse", "no more" end }, function()
      expect.refused("refused_by_policy", nil, post(req))
    end)
    with(review, { decide = function() error("the bug") end }, function()
      local err = expect.refused("policy_error", nil, post(req))
      expect.equal(err.details, { draft_id = id, held = "policy_error" })
    end)
    expect.equal(assert(post(req)).json,
      { status = "ok", mode = "draft", draft_id = id, held = "policy_error" })
  end)
end

tests["a send whose outcome is unknown is settled by its key"] = function()
  local req = letter()
  local draft_send = mail.draft_send
  local made = drafts_made(function()
    with(mail, {
      draft_send = function(claim, draft)
        draft_send(claim, draft)
        return nil, { code = "timeout", message = "late", unknown = true }
      end,
      draft_exists = failing(LOST),
    }, function()
      expect.refused("timeout", nil, post(req))
    end)
    quietly(function() expect.refused("in_progress", nil, post(req)) end)
    after_the_lease(function()
      with(mail, { draft_create = never, send = never }, function()
        local reply = assert(post(req))
        assert(reply.json.id)
        expect_replay(post, req, reply)
      end)
    end)
  end)
  expect.equal({ #made, made[1].document.status, made[1].document.attempt }, { 1, "sent", 2 })
end

tests["a send that nothing can settle becomes a draft, and is never repeated"] = function()
  local req = letter()
  local made = drafts_made(function()
    with(mail, { draft_create = function() return nil end, send = failing(LOST) }, function()
      expect.refused("timeout", nil, post(req))
    end)
    after_the_lease(function()
      quietly(function()
        local reply = assert(post(req))
        expect.equal(reply.json.mode, "draft")
        expect.holds(reply.json.held, "look into the mailbox")
        expect_replay(post, req, reply)
      end)
    end)
  end)
  local kept = made[1].document
  expect.equal({ #made, kept.status, kept.mode, kept.unsettled }, { 1, "pending" })
  assert(api.send(request("/send-draft", { draft_id = made[1].id })))
  expect.equal({ document(made[1].id).status, document(made[1].id).reviewed_by },
    { "sent", "crm" })
end

tests["a refused send that cannot be let go is not begun anew"] = function()
  local req = letter()
  local made = drafts_made(function()
    with_claims(function(step)
      if step == "pending" then return nil, { code = "store_error", message = "down" } end
    end, function()
      with(mail, { draft_send = failing(REFUSED) }, function()
        expect.refused("gmail_error", nil, post(req))
      end)
    end)
    quietly(function() expect.refused("in_progress", nil, post(req)) end)
    after_the_lease(function()
      quietly(function()
        -- The outbox has forgotten whether what is gone was sent or withdrawn.
        expect.holds(assert(post(req)).json.held, "look into the mailbox")
      end)
    end)
  end)
  expect.equal({ #made, made[1].document.status, made[1].document.mode }, { 1, "pending" })
end

--- { the write at which the process dies, whether the mail has left by then }
local writes = {
  { "its draft", false, function(collection, _, d)
    return collection == config.draft_collection and d.status == "sending"
  end },
  { "its pixel", false, function(collection) return collection == config.pixel_collection end },
  { "where it waits", false, function(_, _, d) return d and d.gmail_draft_id end },
  { "that it was sent", true, function(_, _, d) return d and d.status == "sent" end },
  { "its answer", true, function(_, _, d) return d and d.answer end },
}

for _, case in ipairs(writes) do
  tests["a send that dies before it writes down " .. case[1]] = function()
    local req, left = letter(), 0
    local draft_send = mail.draft_send
    with(config, { tracking = true, pixel_base_url = "https://t.example.org" }, function()
      with(mail, {
        draft_send = function(claim, draft)
          local sent, err = draft_send(claim.held or claim, draft)
          if sent then left = left + 1 end
          return sent, err
        end,
      }, function()
        local made = drafts_made(function()
          crash_at(case[3], function() post(req) end)
          expect.equal(left, case[2] and 1 or 0)
          quietly(function() expect.refused("in_progress", nil, post(req)) end)
          after_the_lease(function()
            local reply = assert(post(req))
            expect.equal({ reply.json.mode, reply.json.pixel_id ~= json.null }, { "send", true })
            expect_replay(post, req, reply)
          end)
        end)
        expect.equal({ #made, made[1].document.status, left }, { 1, "sent", 1 })
      end)
    end)
  end
end

tests["under the brake a send that was begun is taken back, and held"] = function()
  local req = letter()
  local made = drafts_made(function()
    with(mail, { draft_send = failing(LOST), draft_exists = failing(LOST) }, function()
      expect.refused("timeout", nil, post(req))
    end)
    after_the_lease(function()
      with(mail, { draft_send = failing { code = "no_send", message = "nothing is sent" } },
        function()
          local reply = assert(post(req))
          expect.equal({ reply.json.mode, reply.json.held }, { "draft", "no_send" })
          expect_replay(post, req, reply)
        end)
    end)
  end)
  expect.equal({ #made, made[1].document.status, made[1].document.held },
    { 1, "pending", "no_send" })
end

tests["the policy is asked once for a send that was begun"] = function()
  local req, asked = letter(), 0
  local function decide()
    asked = asked + 1
    return "send"
  end
  with(review, { decide = decide }, function()
    with(mail, { draft_send = failing(LOST), draft_exists = failing(LOST) }, function()
      expect.refused("timeout", nil, post(req))
    end)
    after_the_lease(function() assert(post(req)) end)
  end)
  expect.equal(asked, 1)
end

--- POST /, drafts

tests["a draft with a key is made once"] = function()
  local req = letter { mode = "draft" }
  local made = drafts_made(function()
    local reply = assert(post(req))
    expect.equal(reply.json.mode, "draft")
    expect_replay(post, req, reply)
  end)
  expect.equal({ #made, made[1].document.status, made[1].document.mode }, { 1, "pending" })
end

tests["a draft whose answer was lost is answered as it was, whatever became of it"] = function()
  local req = letter()
  local hold = function() return "hold", "first contact" end
  local made = drafts_made(function()
    with(review, { decide = hold }, function()
      crash_at(function(_, _, d) return d and d.answer end, function()
        assert(post(req))
      end)
    end)
  end)
  local id = made[1].id
  expect.equal({ #made, made[1].document.mode, made[1].document.reply_headers }, { 1 })
  assert(api.send(request("/send-draft", { draft_id = id })))
  after_the_lease(function()
    quietly(function()
      expect.equal(assert(post(req)).json,
        { status = "ok", mode = "draft", draft_id = id, held = "first contact" })
    end)
  end)
end

tests["a draft that another attempt makes just now is in progress"] = function()
  local req = letter { mode = "draft" }
  local create = store.create
  expect.while_replaced(store, "create", function(collection, ...)
    if collection == config.draft_collection then assert(create(collection, ...)) end
    return create(collection, ...)
  end, function()
    expect.refused("in_progress", nil, post(req))
  end)
  quietly(function() expect.equal(assert(post(req)).json.mode, "draft") end)
end

tests["what was refused may be corrected under its key"] = function()
  local req = letter { to = "bob@" }
  expect.refused("invalid_recipient", "to", post(req))
  local corrected = letter()
  corrected.headers = req.headers
  assert(post(corrected))
  expect.refused("idempotency_conflict", nil, post(req))
end

--- POST /send-draft

tests["a draft is sent once under its key"] = function()
  local id = new_draft()
  local req = request("/send-draft", { draft_id = id })
  local reply = assert(api.send(req))
  expect.equal(document(id).message_id, reply.json.message_id)
  expect_replay(api.send, req, reply)
  expect.refused("already_sent", nil, api.send(request("/send-draft", { draft_id = id })))
end

for _, case in ipairs(writes) do
  if case[1] ~= "its draft" then
    tests["a draft that dies before it writes down " .. case[1]] = function()
      local id = new_draft()
      local req = request("/send-draft", { draft_id = id })
      with(config, { tracking = true, pixel_base_url = "https://t.example.org" }, function()
        crash_at(case[3], function() api.send(req) end)
        after_the_lease(function()
          local reply = assert(api.send(req))
          expect.equal(document(id).message_id, reply.json.message_id)
          expect_replay(api.send, req, reply)
        end)
      end)
    end
  end
end

tests["a send that another has taken over is still that of the key"] = function()
  local id = new_draft()
  local req = request("/send-draft", { draft_id = id })
  with(mail, { draft_send = failing(LOST), draft_exists = failing(LOST) }, function()
    expect.refused("timeout", nil, api.send(req))
  end)
  after_the_lease(function()
    local other = { name = "other", roles = {} }
    local sent = assert(delivery.send_draft(assert(drafts.load(id)), nil, other, crypto.uuid4()))
    quietly(function()
      expect.equal(assert(api.send(req)).json.message_id, sent.id)
    end)
  end)
  expect.equal(document(id).reviewed_by, "crm")
end

tests["what others have sent is not the key's"] = function()
  local id = new_draft()
  local req = request("/send-draft", { draft_id = id })
  with(mail, { draft_send = failing(REFUSED) }, function()
    expect.refused("gmail_error", nil, api.send(req))
  end)
  expect.equal(document(id).operation_id, nil)
  assert(api.send(request("/send-draft", { draft_id = id })))
  expect.refused("already_sent", nil, api.send(req))
end

tests["under the brake what the key has sent is told all the same"] = function()
  local id = new_draft()
  local req = request("/send-draft", { draft_id = id })
  crash_at(function(_, _, d) return d and d.answer end, function() assert(api.send(req)) end)
  after_the_lease(function()
    with(config, { no_send = true }, function()
      expect.equal(assert(api.send(req)).json.message_id, document(id).message_id)
      expect.refused("no_send", nil,
        api.send(request("/send-draft", { draft_id = new_draft() })))
    end)
  end)
end

tests["a key for drafting is another one for sending"] = function()
  local first = letter { mode = "draft" }
  local id = assert(post(first)).json.draft_id
  local second = request("/send-draft", { draft_id = id })
  second.headers = first.headers
  expect_replay(api.send, second, assert(api.send(second)))
end

return tests
