--- A key and its record: what is carried out, what is answered again, what is tried again.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local expect = require "lib.expect"
local idempotency = require "lib.idempotency"
local json = require "paraph.json"
local log = require "paraph.log"
local store = require "paraph.store"
local task = require "paraph.task"
local testing = require "paraph.testing"
local time = require "paraph.time"

local COLLECTION = config.draft_collection .. "_idempotency"
local DAY_S = 24 * 60 * 60
local LEASE_S = 2 * config.request_timeout

--- A request with a key of its own, unless `more` names one.
local function request(more)
  local req = {
    method = "POST", path = "/", headers = { ["idempotency-key"] = crypto.uuid4() },
    caller = { name = "crm", roles = {} }, body = testing.blob("{}"),
  }
  for name, value in pairs(more or {}) do req[name] = value end
  return req
end

local function with_key(key)
  return request { headers = { ["idempotency-key"] = key } }
end

--- The same request but for `more`.
local function again(req, more)
  local copy = request(req)
  for name, value in pairs(more or {}) do copy[name] = value end
  return copy
end

local other_body = { body = testing.blob("{} ") }

--- A handler that does what it is told, and keeps the operations that it was called with.
local function handler(act)
  local calls = {}
  return function(_, operation)
    calls[#calls + 1] = operation or "none"
    if type(act) == "function" then return act(operation, #calls) end
    return { json = { call = #calls } }
  end, calls
end

local function failing(code, more)
  local err = { code = code, message = code }
  for name, value in pairs(more or {}) do err[name] = value end
  return function() return nil, err end
end

local function never() error("this must not be called") end

--- Run `body` so many seconds later.
local function later(seconds, body)
  local now = time.now
  expect.while_replaced(time, "now", function()
    return time.format(time.parse(now()) + seconds)
  end, body)
end

--- Leave a key as a crash leaves it: claimed, its handler called, and nothing after that.
local function crash(req)
  local operation
  expect.while_replaced(store, "update", failing("store_error"), function()
    idempotency.once(req, function(_, op)
      operation = op
      return { json = {} }
    end)
  end)
  return operation
end

--- The records from before so many seconds later: other tests have left some from far ahead.
local function records(seconds)
  local before = time.format(time.parse(time.now()) + seconds)
  return assert(store.query(COLLECTION, { before = before, limit = 200 })).documents
end

--- What a replay is.
local function expect_replay(reply, body)
  expect.equal({ reply.status, reply.type, reply.body, reply.json },
    { 200, "application/json", body })
  expect.equal(reply.headers, { ["Idempotency-Replayed"] = "true" })
end

local tests = {}

--- Keys

tests["without a key a request is carried out, each time"] = function()
  local handle, calls = handler()
  local req = request { headers = {} }
  expect.equal(idempotency.once(req, handle), { json = { call = 1 } })
  expect.equal(idempotency.once(req, handle), { json = { call = 2 } })
  expect.equal(calls, { "none", "none" })
end

for name, key in pairs {
  ["that is empty"] = "", ["that is too long"] = ("k"):rep(256), ["with a tab"] = "a\tb",
  ["with a line end"] = "a\n", ["with a NUL"] = "a\0", ["with a DEL"] = "a\x7F",
  ["that is not ASCII"] = "schlüssel", ["that nobody could read"] = "\u{FFFD}",
} do
  tests["a key " .. name .. " is refused"] = function()
    local err = expect.refused("invalid_field", "Idempotency-Key",
      idempotency.once(with_key(key), never))
    expect.holds(err.message, "1 to 255 printable ASCII characters")
  end
end

for name, key in pairs {
  ["of one character"] = "~", ["of 255"] = ("k"):rep(255), ["with spaces and quotes"] = '"a b"',
} do
  tests["a key " .. name .. " is one"] = function()
    local caller = { name = crypto.uuid4(), roles = {} }
    local req = again(with_key(key), { caller = caller })
    assert(idempotency.once(req, handler()))
    expect_replay(assert(idempotency.once(req, never)), '{"call":1}')
  end
end

--- Answers

tests["the first answer is given again, and nothing is done"] = function()
  local req = request()
  local handle, calls = handler(function()
    return { status = 201, json = { b = json.null, a = { 1, "ü" } } }
  end)
  assert(idempotency.once(req, handle))
  for _ = 1, 2 do
    local reply = assert(idempotency.once(again(req), never))
    expect.equal({ reply.status, reply.body }, { 201, '{"a":[1,"ü"],"b":null}' })
  end
  expect.equal(calls[1].resumed, false)
  assert(crypto.is_uuid(calls[1].id))
end

tests["a request without a body is one, too"] = function()
  local req = request()
  req.body = nil
  assert(idempotency.once(req, handler()))
  expect.refused("idempotency_conflict", nil, idempotency.once(again(req, other_body), never))
  local same = again(req)
  same.body = nil
  expect_replay(assert(idempotency.once(same, never)), '{"call":1}')
end

tests["another body under the same key is a conflict"] = function()
  local req = request()
  assert(idempotency.once(req, handler()))
  expect.refused("idempotency_conflict", nil, idempotency.once(again(req, other_body), never))
  expect_replay(assert(idempotency.once(req, never)), '{"call":1}')
end

tests["callers, routes and keys do not meet"] = function()
  local req = request()
  local handle, calls = handler()
  local others = {
    { caller = { name = "other", roles = {} } }, { path = "/send-draft" }, { method = "PUT" },
    { headers = { ["idempotency-key"] = req.headers["idempotency-key"] .. "x" } },
  }
  assert(idempotency.once(req, handle))
  for i, other in ipairs(others) do
    expect.equal(idempotency.once(again(req, other), handle), { json = { call = i + 1 } })
  end
  local ids = {}
  for _, operation in ipairs(calls) do
    expect.equal({ operation.resumed, ids[operation.id] }, { false, nil })
    ids[operation.id] = true
  end
end

tests["a record tells who asked for what, but not the key"] = function()
  local req = request()
  assert(idempotency.once(req, handler()))
  local found = records(0.001)[1].document
  expect.equal({ found.caller, found.route, found.answer, found.answer_status },
    { "crm", "POST /", '{"call":1}', 200 })
  expect.equal(time.parse(found.expires_at) - time.parse(found.created_at), DAY_S)
  expect.equal(found.request_sha256, req.body:sha256())
  expect.lacks(json.encode(found), req.headers["idempotency-key"])
end

--- One at a time

tests["while the first is under way, others hear so"] = function()
  local req = request()
  assert(idempotency.once(req, function()
    expect.refused("in_progress", nil, idempotency.once(again(req), never))
    expect.refused("idempotency_conflict", nil, idempotency.once(again(req, other_body), never))
    return { json = { call = 1 } }
  end))
  expect_replay(assert(idempotency.once(req, never)), '{"call":1}')
end

tests["of fifty at once one is carried out"] = function()
  local req = request()
  local handle, calls = handler(function()
    assert(task.sleep(20))
    return { json = {} }
  end)
  local asks = {}
  for i = 1, 50 do
    asks[i] = function() return idempotency.once(again(req), handle) end
  end
  local answers = { ran = 0, replayed = 0, in_progress = 0 }
  for _, result in ipairs(task.all(asks)) do
    local reply, err = result[1], result[2]
    local kind = reply and (reply.headers and "replayed" or "ran") or err.code
    answers[kind] = answers[kind] + 1
  end
  expect.equal({ #calls, answers.ran, answers.replayed + answers.in_progress }, { 1, 1, 49 })
end

tests["whoever loses a record to another hears that it is under way"] = function()
  local req = request()
  crash(req)
  later(LEASE_S + 1, function()
    local handle, calls = handler(function()
      assert(task.sleep(20))
      return { json = {} }
    end)
    local asks = {}
    for i = 1, 10 do
      asks[i] = function() return idempotency.once(again(req), handle) end
    end
    local refused = 0
    for _, result in ipairs(task.all(asks)) do
      if not result[1] then
        expect.equal(result[2].code, "in_progress")
        refused = refused + 1
      end
    end
    expect.equal({ #calls, refused }, { 1, 9 })
  end)
end

--- Failures

for _, code in ipairs {
  "malformed_json", "invalid_field", "unknown_field", "invalid_recipient", "forbidden",
  "refused_by_policy", "draft_not_found", "already_sent", "rejected", "changed_since_review",
  "payload_too_large", "unsupported_media_type",
} do
  tests["a key is free after " .. code] = function()
    local req = request()
    local handle, calls = handler(failing(code, { details = { a = 1 } }))
    local err = expect.refused(code, nil, idempotency.once(req, handle))
    expect.equal(err.details, { a = 1 })
    expect.refused(code, nil, idempotency.once(again(req), handle))
    expect.equal({ calls[2].resumed, calls[2].id == calls[1].id }, { false, false })
    assert(idempotency.once(again(req, other_body), handler()))
  end
end

for _, code in ipairs {
  "rate_limited", "gmail_error", "firestore_error", "auth_error", "store_error", "no_send",
  "overloaded", "shutting_down", "timeout", "policy_error", "internal_error", "in_progress",
  "conflict", "no_such_code",
} do
  tests["the same operation is tried again after " .. code] = function()
    local req = request()
    local handle, calls = handler(failing(code))
    expect.refused(code, nil, idempotency.once(req, handle))
    expect.refused(code, nil, idempotency.once(again(req), handle))
    expect.refused("idempotency_conflict", nil, idempotency.once(again(req, other_body), never))
    expect.equal(calls, { { id = calls[1].id, resumed = false },
      { id = calls[1].id, resumed = true } })
    assert(idempotency.once(again(req), handler()))
    expect_replay(assert(idempotency.once(again(req), never)), '{"call":1}')
  end
end

tests["a refusal that leaves something open is no refusal"] = function()
  local req = request()
  local handle, calls = handler(failing("invalid_field", { unknown = true }))
  expect.refused("invalid_field", nil, idempotency.once(req, handle))
  expect.refused("invalid_field", nil, idempotency.once(again(req), handle))
  expect.equal({ calls[2].resumed, calls[2].id }, { true, calls[1].id })
end

tests["after an attempt that may only be slow, a refusal does not free the key"] = function()
  local req = request()
  local operation = crash(req)
  later(LEASE_S + 1, function()
    expect.refused("refused_by_policy", nil,
      idempotency.once(again(req), failing("refused_by_policy")))
    expect.refused("idempotency_conflict", nil, idempotency.once(again(req, other_body), never))
    local handle, calls = handler()
    assert(idempotency.once(again(req), handle))
    expect.equal(calls, { { id = operation.id, resumed = true } })
  end)
end

tests["what a handler raises goes on, and the key is let go"] = function()
  local req = request()
  local raised = { code = "policy_error" }
  local ok, err = pcall(idempotency.once, req, function() error(raised) end)
  expect.equal({ ok, rawequal(err, raised) }, { false, true })
  ok, err = pcall(idempotency.once, again(req), function() error("the bug is here") end)
  expect.equal(ok, false)
  expect.holds(err, "idempotency_test.lua:")
  assert(idempotency.once(again(req), handler()))
end

tests["a handler that returns nothing is let go, too"] = function()
  local req = request()
  expect.equal(select("#", idempotency.once(req, function() end)), 2)
  assert(idempotency.once(again(req), handler()))
end

--- Crashes

tests["after a crash a key is in progress, until its lease is over"] = function()
  local req = request()
  local operation = crash(req)
  expect.refused("in_progress", nil, idempotency.once(again(req), never))
  later(LEASE_S - 1, function()
    expect.refused("in_progress", nil, idempotency.once(again(req), never))
  end)
  later(LEASE_S + 1, function()
    local handle, calls = handler()
    expect.equal(idempotency.once(again(req), handle), { json = { call = 1 } })
    expect.equal(calls, { { id = operation.id, resumed = true } })
    expect_replay(assert(idempotency.once(again(req), never)), '{"call":1}')
  end)
end

tests["an answer that cannot be kept is an answer"] = function()
  local req = request()
  local handle, calls = handler()
  expect.while_replaced(store, "update", failing("store_error"), function()
    expect.equal(idempotency.once(req, handle), { json = { call = 1 } })
  end)
  later(LEASE_S + 1, function() assert(idempotency.once(again(req), handle)) end)
  expect.equal({ calls[2].resumed, calls[2].id }, { true, calls[1].id })
end

tests["who was too slow does not write over the answer of another"] = function()
  local req = request()
  expect.equal(idempotency.once(req, function()
    later(LEASE_S + 1, function()
      expect.equal(idempotency.once(again(req), handler()), { json = { call = 1 } })
    end)
    return { json = { call = "late" } }
  end), { json = { call = "late" } })
  expect_replay(assert(idempotency.once(again(req), never)), '{"call":1}')
end

for _, verb in ipairs { "create", "get", "update" } do
  tests["without the store nothing is carried out: " .. verb] = function()
    local req = request()
    if verb ~= "create" then crash(req) end
    later(LEASE_S + 1, function()
      expect.while_replaced(store, verb, failing("store_error"), function()
        expect.refused("store_error", nil, idempotency.once(again(req), never))
      end)
    end)
  end
end

--- The end of a key

tests["a key is kept for a day, and is new after it"] = function()
  local req = request()
  local handle, calls = handler()
  assert(idempotency.once(req, handle))
  later(DAY_S - 1, function()
    expect_replay(assert(idempotency.once(again(req), never)), '{"call":1}')
    expect.refused("idempotency_conflict", nil, idempotency.once(again(req, other_body), never))
  end)
  later(DAY_S + 1, function()
    expect.equal(idempotency.once(again(req, other_body), handle), { json = { call = 2 } })
    expect_replay(assert(idempotency.once(again(req, other_body), never)), '{"call":2}')
    expect.refused("idempotency_conflict", nil, idempotency.once(again(req), never))
  end)
  expect.equal({ calls[2].resumed, calls[2].id == calls[1].id }, { false, false })
  later(2 * DAY_S - 1, function()
    expect_replay(assert(idempotency.once(again(req, other_body), never)), '{"call":2}')
  end)
end

tests["what is under way does not expire"] = function()
  local req = request()
  crash(req)
  later(DAY_S - 1, function()
    assert(idempotency.once(again(req), function()
      later(2, function()
        expect.refused("in_progress", nil, idempotency.once(again(req), never))
      end)
      return { json = {} }
    end))
  end)
end

tests["a sweep removes what has expired, all of it, and nothing else"] = function()
  for _ = 1, 120 do assert(idempotency.once(request(), handler())) end
  local renewed, young = request(), request()
  assert(idempotency.once(renewed, handler()))
  later(DAY_S + 1, function() assert(idempotency.once(again(renewed), handler())) end)
  later(60, function() assert(idempotency.once(young, handler())) end)

  local before = #records(3600)
  assert(before >= 121)
  later(DAY_S + LEASE_S - 5, idempotency.sweep)
  expect.equal(#records(3600), before)
  later(DAY_S + LEASE_S + 5, idempotency.sweep)
  expect.equal(#records(3600), 1)
  later(DAY_S + 5, function()
    expect_replay(assert(idempotency.once(again(young), never)), '{"call":1}')
    expect_replay(assert(idempotency.once(again(renewed), never)), '{"call":1}')
  end)
end

tests["a sweep leaves what is renewed meanwhile"] = function()
  local req = request()
  assert(idempotency.once(req, handler()))
  later(DAY_S + LEASE_S + 5, function()
    local query = store.query
    expect.while_replaced(store, "query", function(...)
      local page = query(...)
      expect.while_replaced(store, "query", query, function()
        if #page.documents > 0 then assert(idempotency.once(again(req), handler())) end
      end)
      return page
    end, idempotency.sweep)
    expect_replay(assert(idempotency.once(again(req), never)), '{"call":1}')
  end)
end

for _, verb in ipairs { "query", "delete" } do
  tests["a sweep that fails says so: " .. verb] = function()
    local said = {}
    assert(idempotency.once(request(), handler()))
    later(DAY_S + LEASE_S + 5, function()
      expect.while_replaced(store, verb, failing("store_error"), function()
        expect.while_replaced(log, "warning", function(_, fields)
          said[#said + 1] = fields.error
        end, idempotency.sweep)
      end)
    end)
    expect.equal(said, { "store_error" })
  end
end

return tests
