--- The handlers, on the embedded pair.

local api = require "api.drafts"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local expect = require "lib.expect"
local json = require "paraph.json"
local messages = require "api.messages"
local review = require "policy.review"
local store = require "paraph.store"
local task = require "paraph.task"
local testing = require "paraph.testing"

local EVERYTHING = { draft = true, send = true, review = true, ops = true }

---@param body? table|string
local function request(body, more)
  if type(body) == "table" then body = json.encode(body) end
  local req = {
    method = "POST", path = "/", query = {}, headers = {}, params = {}, id = "test",
    remote = "127.0.0.1", caller = { name = "tester", roles = EVERYTHING },
    body = body and testing.blob(body),
  }
  for name, value in pairs(more or {}) do req[name] = value end
  return req
end

local function letter(more)
  local body = { to = "ann@example.com", subject = "Hello", message = "Hi", mode = "draft" }
  for name, value in pairs(more or {}) do
    body[name] = value
    if value == json.null then body[name] = nil end
  end
  return body
end

local function on(id, body, more)
  local req = request(body, more)
  req.params.id = id
  return req
end

local function new_draft(more)
  return assert(messages.post(request(letter(more)))).json.draft_id
end

local function stored(id)
  return assert(store.get(config.draft_collection, id))
end

local function shown(id)
  return assert(api.get(on(id))).json.draft
end

local function mime(id)
  local reply = assert(api.message(on(id)))
  return reply.body:string(), reply.headers.ETag
end

local tests = {}

--- POST /

tests["a draft holds what was asked for"] = function()
  local id = new_draft {
    to = { "ann@example.com", "Bob <bob@example.com>" }, cc = { "cy@example.com" },
    metadata = { deal = 42, tags = { "a" } }, tracking = false, format = "markdown",
  }
  local draft = stored(id)
  expect.equal(draft.to, "ann@example.com, Bob <bob@example.com>")
  expect.equal(draft.cc, { "cy@example.com" })
  expect.equal(draft.body, "Hi")
  expect.equal(draft.metadata, { deal = 42, tags = { "a" } })
  expect.equal({ draft.status, draft.created_by, draft.tracking, draft.format },
    { "pending", "tester", false, "markdown" })
  expect.equal({ draft.message, draft.mode }, {})
  expect.equal(shown(id).draft_id, id)
end

--- { change of the letter, code, field }
local refused = {
  { { to = json.null }, "invalid_field", "to" },
  { { subject = json.null }, "invalid_field", "subject" },
  { { message = json.null }, "invalid_field", "message" },
  { { to = "bob@" }, "invalid_recipient", "to" },
  { { to = "" }, "invalid_recipient", "to" },
  { { to = json.empty_array }, "invalid_recipient", "to" },
  { { to = { "ann@example.com", "" } }, "invalid_recipient", "to" },
  { { to = { '"a', 'b"@example.com' } }, "invalid_recipient", "to" },
  { { to = "nobody:;" }, "invalid_recipient", "to" },
  { { to = "ann@example.com\r\nBcc: eve@example.com" }, "invalid_recipient", "to" },
  { { cc = "bob@" }, "invalid_recipient", "cc" },
  { { bcc = { "ann@example.com", "bob@" } }, "invalid_recipient", "bcc" },
  { { reply_to = "bob@" }, "invalid_recipient", "reply_to" },
  { { to = ("a@example.com,"):rep(501) .. "b@example.com" }, "invalid_recipient", "to" },
  { { subject = "" }, "invalid_field", "subject" },
  { { subject = "Hi\r\nBcc: eve@example.com" }, "invalid_field", "subject" },
  { { subject = ("x"):rep(999) }, "invalid_field", "subject" },
  { { message = "" }, "invalid_field", "message" },
  { { message = "\0" }, "invalid_field", "message" },
  { { message = ("x"):rep(200000), format = "markdown" }, "payload_too_large", "message" },
  { { mode = "later" }, "invalid_field", "mode" },
  { { format = "rtf" }, "invalid_field", "format" },
  { { body = "Hi" }, "unknown_field", "body" },
  { { from = "nobody" }, "invalid_field", "from" },
  { { from = "a@example.org, b@example.org" }, "invalid_field", "from" },
  { { from = "stranger@elsewhere.example" }, "forbidden", "from" },
  { { from_name = "Me\r\nBcc: eve@example.com" }, "invalid_field", "from_name" },
  { { vars = { a = 1 } }, "invalid_field", "vars" },
  { { template = "welcome" }, "invalid_field", "template" },
  { { template = "no/such/template", message = json.null }, "invalid_field", "template" },
  { { in_reply_to = "x\ny" }, "invalid_field", "in_reply_to" },
  { { metadata = "x" }, "invalid_field", "metadata" },
  { { metadata = { x = ("x"):rep(900000) } }, "payload_too_large" },
  { { metadata = { x = { ("x"):rep(20000):byte(1, -1) } } }, "payload_too_large" },
  { { attachments = { { filename = "a.txt" } } }, "invalid_field", "attachments[0].content" },
  { { attachments = { { content = "QQ==" } } }, "invalid_field", "attachments[0].filename" },
  { { attachments = { { filename = "a", content = "QQ==" }, { filename = "b", content = "?" } } },
    "invalid_field", "attachments[1].content" },
  { { attachments = { { filename = "a", content = 7 } } }, "invalid_field",
    "attachments[0].content" },
  { { attachments = { { filename = "a", content = "QQ==", content_type = "nonsense" } } },
    "invalid_field", "attachments[0].content_type" },
  { { attachments = { { filename = "a", content = "QQ==", size = 1 } } }, "unknown_field",
    "attachments[0].size" },
}

for i, case in ipairs(refused) do
  tests[("what cannot be sent is no draft (%d: %s)"):format(i, case[3] or case[2])] = function()
    expect.refused(case[2], case[3], messages.post(request(letter(case[1]))))
  end
end

tests["a sentence names field and address"] = function()
  local err = expect.refused("invalid_recipient", "to",
    messages.post(request(letter { to = "bob@" })))
  expect.holds(err.message, "to: ")
  expect.holds(err.message, "bob@")
end

tests["a send leaves, and its pixel is known"] = function()
  expect.while_replaced(config, "tracking", true, function()
    expect.while_replaced(config, "pixel_base_url", "https://t.example.org", function()
      local answer = assert(messages.post(request(letter { mode = "send" }))).json
      expect.equal({ answer.status, answer.mode }, { "ok", "send" })
      assert(answer.id ~= "" and answer.thread_id ~= "")
      local pixel = assert(store.get(config.pixel_collection, answer.pixel_id))
      expect.equal({ pixel.to, pixel.subject, pixel.open_count },
        { "ann@example.com", "Hello", 0 })
    end)
  end)
end

tests["untracked sends have no pixel"] = function()
  local answer = assert(messages.post(request(letter { mode = "send", tracking = false }))).json
  expect.equal(answer.pixel_id, json.null)
end

tests["who may not send may not ask for it"] = function()
  local agent = { caller = { name = "agent", roles = { draft = true } } }
  expect.refused("forbidden", nil, messages.post(request(letter { mode = "send" }, agent)))
  expect.while_replaced(config, "send_mode", "send", function()
    local body = letter()
    body.mode = nil
    expect.refused("forbidden", nil, messages.post(request(body, agent)))
  end)
  assert(messages.post(request(letter(), agent)))
end

tests["a key that may send may draft"] = function()
  local sender = { caller = { name = "crm", roles = { send = true } } }
  expect.equal(assert(messages.post(request(letter(), sender))).json.mode, "draft")
end

tests["the policy may hold a send"] = function()
  local decide = function() return "hold", "first contact" end
  expect.while_replaced(review, "decide", decide, function()
    local answer = assert(messages.post(request(letter { mode = "send" }))).json
    expect.equal({ answer.mode, answer.held }, { "draft", "first contact" })
    expect.equal(stored(answer.draft_id).held, "first contact")
  end)
end

tests["the policy may refuse a send"] = function()
  local seen
  local decide = function(asked)
    seen = asked
    return "refuse", "not on Sundays"
  end
  expect.while_replaced(review, "decide", decide, function()
    local err = expect.refused("refused_by_policy", nil,
      messages.post(request(letter { mode = "send", bcc = "Cy <cy@example.com>" })))
    expect.equal(err.message, "not on Sundays")
  end)
  expect.equal({ #seen.recipients, seen.recipients[2].address }, { 2, "cy@example.com" })
  expect.equal(seen.caller.name, "tester")
end

tests["under the brake a send is held"] = function()
  expect.while_replaced(config, "no_send", true, function()
    local answer = assert(messages.post(request(letter { mode = "send" }))).json
    expect.equal({ answer.mode, answer.held }, { "draft", "no_send" })
  end)
end

--- Reading

tests["unknown drafts are not found"] = function()
  for _, id in ipairs { crypto.uuid4(), "not-a-uuid" } do
    expect.refused("draft_not_found", nil, api.get(on(id)))
    expect.refused("draft_not_found", nil, api.message(on(id)))
    expect.refused("draft_not_found", nil, api.reject(on(id)))
    expect.refused("draft_not_found", nil, api.patch(on(id, "{}")))
    expect.refused("draft_not_found", nil, api.test(on(id, { to = "me@example.com" })))
  end
  expect.refused("draft_not_found", nil, api.send(request { draft_id = crypto.uuid4() }))
end

tests["an id is found in capitals too"] = function()
  local id = new_draft()
  expect.equal(shown(id:upper()).draft_id, id)
end

tests["the list is newest first, in pages"] = function()
  local older = new_draft()
  task.sleep(1) -- the clock of a test stands still otherwise
  local newer = new_draft()
  local first = assert(api.list(request(nil, { query = { limit = "1", status = "pending" } }))).json
  expect.equal(first.drafts[1].draft_id, newer)
  local second = assert(api.list(request(nil,
    { query = { limit = "1", status = "pending", page_token = first.next_page_token } }))).json
  expect.equal(second.drafts[1].draft_id, older)
end

--- { query, code, field }
local bad_queries = {
  { { limit = "0" }, "invalid_field", "limit" },
  { { limit = "201" }, "invalid_field", "limit" },
  { { limit = "1.5" }, "invalid_field", "limit" },
  { { limit = "" }, "invalid_field", "limit" },
  { { limit = ("9"):rep(30) }, "invalid_field", "limit" },
  { { status = "held" }, "invalid_field", "status" },
  { { page_token = "nonsense" }, "invalid_field", "page_token" },
  { { page = "2" }, "unknown_field", "page" },
}

for _, case in ipairs(bad_queries) do
  local name, value = next(case[1])
  tests[("no list for %s=%s"):format(name, value)] = function()
    expect.refused(case[2], case[3], api.list(request(nil, { query = case[1] })))
  end
end

tests["the message is shown as it will be sent"] = function()
  local id = new_draft { subject = "Grüße", bcc = "cy@example.com", message = "See you" }
  local text, etag = mime(id)
  expect.holds(text, "X-Paraph-Id: " .. id)
  expect.holds(text, "See you")
  local _, again = mime(id)
  expect.equal(again, etag)
  local reply = assert(api.message(on(id, nil, { headers = { ["if-none-match"] = etag } })))
  expect.equal(reply.status, 304)
end

tests["attachments are listed by size and sent with their bytes"] = function()
  local id = new_draft {
    attachments = { { filename = "a.txt", content_type = "text/plain", content = "aGVsbG8=" } },
  }
  expect.equal(shown(id).attachments,
    { { filename = "a.txt", content_type = "text/plain", size = 5 } })
  expect.holds((mime(id)), "a.txt")
end

tests["drafts of the old service are served"] = function()
  local id = crypto.uuid4()
  assert(store.create(config.draft_collection, id, {
    to = "ann@example.com", subject = "Old", body = "1 < 2", status = "pending",
    created_at = "2024-01-01T00:00:00.000000Z", sent_at = json.null, pixel_id = json.null,
  }))
  expect.equal(shown(id).body, "1 < 2")
  expect.holds((mime(id)), "Subject: Old")
  expect.equal(assert(api.send(request { draft_id = id })).json.status, "ok")
end

tests["broken drafts get an answer"] = function()
  local id = crypto.uuid4()
  assert(store.create(config.draft_collection, id,
    { to = 7, created_at = "2024-01-01T00:00:00.000000Z", status = "lost" }))
  expect.equal(shown(id).status, "lost")
  expect.refused("invalid_field", "to", api.message(on(id)))
  expect.refused("invalid_field", "subject", api.test(on(id, { to = "me@example.com" })))
  expect.refused("conflict", nil, api.send(request { draft_id = id }))
  expect.refused("conflict", nil, api.patch(on(id, "{}")))
  expect.refused("conflict", nil, api.reject(on(id)))
end

--- Editing

tests["a patch sets, removes and leaves"] = function()
  local id = new_draft { cc = "cy@example.com", metadata = { n = 1 } }
  local patch =
    '{"subject":"New","message":"Text","cc":null,"to":["ann@example.com","bob@example.com"]}'
  local draft = assert(api.patch(on(id, patch))).json.draft
  expect.equal({ draft.subject, draft.body, draft.cc, draft.to, draft.metadata.n },
    { "New", "Text", nil, "ann@example.com, bob@example.com", 1 })
  expect.equal(draft, shown(id))
end

tests["a draft tells who has changed it, the last one last"] = function()
  local id = new_draft()
  for i, name in ipairs { "ann", "bob", "ann", "cy" } do
    local req = on(id, json.encode { subject = "Hello " .. i })
    req.caller = { name = name, roles = { review = true } }
    assert(api.patch(req))
  end
  expect.equal(stored(id).edited_by, { "bob", "ann", "cy" })
end

tests["a patch of nothing writes nothing"] = function()
  local id = new_draft()
  local _, before = store.get(config.draft_collection, id)
  assert(api.patch(on(id, "{}")))
  local _, after = store.get(config.draft_collection, id)
  expect.equal(after, before)
end

--- { patch, code, field }
local bad_patches = {
  { '{"subject":null}', "invalid_field", "subject" },
  { '{"to":null}', "invalid_field", "to" },
  { '{"message":null}', "invalid_field", "message" },
  { '{"to":"bob@"}', "invalid_recipient", "to" },
  { '{"mode":"send"}', "unknown_field", "mode" },
  { '{"status":"sent"}', "unknown_field", "status" },
  { '{"vars":{"a":1}}', "invalid_field", "vars" },
  { '{"message":"x","template":"y"}', "invalid_field", "template" },
  { '[]', "invalid_field" },
  { '', "malformed_json" },
}

for _, case in ipairs(bad_patches) do
  tests["no patch " .. case[1]] = function()
    local id = new_draft()
    local before = shown(id)
    expect.refused(case[2], case[3], api.patch(on(id, case[1])))
    expect.equal(shown(id), before)
  end
end

tests["a patch replaces and removes attachments with their contents"] = function()
  local id = new_draft { attachments = { { filename = "a.txt", content = "QQ==" } } }
  assert(api.patch(on(id, { attachments = { { filename = "b.txt", content = "QkI=" } } })))
  expect.equal(shown(id).attachments, { { filename = "b.txt", size = 2 } })
  expect.lacks((mime(id)), "a.txt")
  assert(api.patch(on(id, '{"attachments":null}')))
  expect.equal(shown(id).attachments, nil)
  expect.equal(#assert(store.parts(config.draft_collection, id)), 0)
end

tests["patches of others in between are no loss"] = function()
  local id = new_draft()
  local update, first = store.update, true
  expect.while_replaced(store, "update", function(...)
    if first then
      first = false
      assert(update(config.draft_collection, id, { from_name = "Other" }))
    end
    return update(...)
  end, function()
    assert(api.patch(on(id, { subject = "Mine" })))
  end)
  expect.equal({ shown(id).subject, shown(id).from_name }, { "Mine", "Other" })
end

tests["a rejected draft stays rejected"] = function()
  local id = new_draft()
  local draft = assert(api.reject(on(id, { reason = "too loud" }))).json.draft
  expect.equal({ draft.status, draft.reject_reason, draft.reviewed_by },
    { "rejected", "too loud", "tester" })
  expect.equal(assert(api.reject(on(id, { reason = "again" }))).json.draft, draft)
  expect.refused("rejected", nil, api.patch(on(id, "{}")))
  expect.refused("rejected", nil, api.send(request { draft_id = id }))
end

--- Sending

tests["a draft is sent once"] = function()
  local id = new_draft()
  local answer = assert(api.send(request { draft_id = id })).json
  local draft = shown(id)
  expect.equal({ draft.status, draft.message_id, draft.thread_id, draft.reviewed_by },
    { "sent", answer.message_id, answer.thread_id, "tester" })
  expect.equal({ draft.sending_since, draft.error }, {})
  local err = expect.refused("already_sent", nil, api.send(request { draft_id = id }))
  expect.equal(err.details, { message_id = answer.message_id })
  expect.refused("already_sent", nil, api.patch(on(id, "{}")))
  expect.refused("already_sent", nil, api.reject(on(id)))
end

tests["what was sent is what was shown"] = function()
  local id = new_draft()
  local _, etag = mime(id)
  assert(api.send(request { draft_id = id, etag = etag:sub(2, -2) }))
  local _, after = mime(id)
  expect.equal(after, etag)
end

tests["what has changed since the review is not sent"] = function()
  local id = new_draft()
  local _, etag = mime(id)
  assert(api.patch(on(id, { subject = "Changed" })))
  expect.refused("changed_since_review", nil,
    api.send(request { draft_id = id, etag = etag:sub(2, -2) }))
  expect.equal(shown(id).status, "pending")
end

--- { body, code, field }
local bad_sends = {
  { '{}', "invalid_field", "draft_id" },
  { '{"draft_id":7}', "invalid_field", "draft_id" },
  { '{"draft_id":"seven"}', "invalid_field", "draft_id" },
  { '{"draft_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","force":true}', "unknown_field", "force" },
}

for _, case in ipairs(bad_sends) do
  tests["no send for " .. case[1]] = function()
    expect.refused(case[2], case[3], api.send(request(case[1])))
  end
end

tests["under the brake no draft is sent"] = function()
  local id = new_draft()
  expect.while_replaced(config, "no_send", true, function()
    expect.refused("no_send", nil, api.send(request { draft_id = id }))
  end)
  expect.equal(shown(id).status, "pending")
end

tests["a test copy changes nothing"] = function()
  local id = new_draft { cc = "cy@example.com", subject = ("x"):rep(998) }
  local before = shown(id)
  local answer = assert(api.test(on(id, { to = "me@example.com" }))).json
  assert(answer.message_id ~= "")
  expect.equal(shown(id), before)
  expect.refused("invalid_recipient", "to", api.test(on(id, { to = "me@" })))
  expect.refused("invalid_field", "to", api.test(on(id, "{}")))
end

return tests
