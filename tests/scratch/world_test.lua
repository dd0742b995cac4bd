--- The world of a test: its clock, its store, its mailbox, and requests made up in it.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local expect = require "lib.expect"
local fetch = require "paraph.fetch"
local idempotency = require "lib.idempotency"
local mail = require "paraph.mail"
local store = require "paraph.store"
local task = require "paraph.task"
local testing = require "paraph.testing"
local time = require "paraph.time"

local NOW = "2026-03-02T09:00:00.000000Z"
local SENDER = { name = "crm", roles = { "draft", "send" } }
local REVIEWER = { name = "ann", roles = { "review" } }

local function letter(more)
  local body = { to = "Zoë <ann@example.com>", subject = "Größe?", message = "Hi Ann" }
  for name, value in pairs(more or {}) do body[name] = value end
  return body
end

local function post(world, more, options)
  options = options or {}
  options.caller = options.caller or SENDER
  return world.request("POST", "/", letter(more), options)
end

local tests = {}

-- --- the clock -----------------------------------------------------------------------------------

tests["the clock"] = {
  ["stands still"] = function()
    local world = testing.world { now = "2026-03-02T10:00:00+01:00" }
    expect.equal({ world.now(), time.now(), time.date().utc }, { NOW, NOW, NOW })
    expect.equal(time.monotonic(), time.monotonic())
  end,

  ["goes on when it is told to, and when somebody sleeps"] = function()
    local world = testing.world { now = NOW }
    local before = time.monotonic()
    world.advance(1.5)
    assert(task.sleep(500))
    expect.equal(world.now(), "2026-03-02T09:00:02.000000Z")
    expect.equal(time.monotonic() - before, 2000.0)
  end,

  ["can be set back, but for what measures"] = function()
    local world = testing.world { now = NOW }
    local before = time.monotonic()
    world.set_now("2026-03-01T09:00:00Z")
    expect.equal(world.now(), "2026-03-01T09:00:00.000000Z")
    expect.equal(time.monotonic(), before)
  end,

  ["runs once for all who sleep at the same time"] = function()
    testing.world { now = NOW }
    local woken = {}
    local function sleeper(ms)
      return function()
        assert(task.sleep(ms))
        woken[#woken + 1] = time.now():sub(18, 23)
        return ms
      end
    end
    local results = task.all { sleeper(3000), sleeper(1000), sleeper(2000), sleeper(1000) }
    expect.equal(woken, { "01.000", "01.000", "02.000", "03.000" })
    expect.equal({ results[1][1], results[2][1] }, { 3000, 1000 })
  end,

  ["a day is over at once"] = function()
    testing.world { now = NOW }
    assert(task.sleep(86400000))
    expect.equal(time.now(), "2026-03-03T09:00:00.000000Z")
  end,

  ["is the one of messages, claims and counts"] = function()
    local world = testing.world { now = NOW }
    local built = assert(mail.build { id = crypto.uuid4(), to = "a@example.com", subject = "x",
      text = "x" })
    expect.holds(built:bytes():string(), "Date: Mon, 02 Mar 2026 09:00:00 +0000")
    world.put("drafts", "d", { status = "pending" })
    local _, version = store.get(config.draft_collection, "d")
    assert(store.claim(config.draft_collection, "d", version, {}))
    expect.equal(world.get("drafts", "d").sending_since, NOW)
    assert(store.increment(config.draft_collection, "d", { counter = "n", last = "counted_at" }))
    expect.equal(world.get("drafts", "d").counted_at, NOW)
  end,

  ["starts anew for each world"] = function()
    testing.world { now = NOW }
    expect.equal(testing.world().now(), "2026-01-01T00:00:00.000000Z")
  end,
}

-- --- the store -----------------------------------------------------------------------------------

tests["the store"] = {
  ["is empty, a"] = function()
    expect.equal(testing.world().all("things"), {})
    assert(store.create("things", "a", {}))
  end,

  ["is empty, b"] = function()
    expect.equal(testing.world().all("things"), {})
    assert(store.create("things", "a", {}))
  end,

  ["can be filled and looked into"] = function()
    local world = testing.world()
    world.put("drafts", "a", { subject = "one" })
    world.put("drafts", "a", { subject = "two" })
    world.put("things", "b", { n = 1 })
    expect.equal(world.get("drafts", "a"), { subject = "two" })
    expect.equal(store.get(config.draft_collection, "a"), { subject = "two" })
    expect.equal(world.get("drafts", "b"), nil)
    expect.equal(world.all("things"), { b = { n = 1 } })
  end,

  ["fails once when it is told to"] = function()
    local world = testing.world()
    world.store_fails("store_error", "the disk is full", { retry_after = 7 })
    local err = expect.refused("store_error", nil, store.create("things", "a", {}))
    expect.equal({ err.message, err.status, err.retry_after }, { "the disk is full", 503, 7 })
    assert(store.create("things", "a", {}))
  end,

  ["fails at the function that is named"] = function()
    local world = testing.world()
    world.store_fails("conflict", "changed", { on = "update" })
    local version = assert(store.create("things", "a", {}))
    expect.refused("conflict", nil, store.update("things", "a", { n = 1 }, { version = version }))
    expect.equal(world.get("things", "a"), {})
    world.store_fails("timeout", "no answer", { on = "count" })
    expect.equal(#store.query("things").documents, 1)
    expect.refused("timeout", nil, store.count("things"))
    expect.equal(store.count("things"), 1)
  end,

  ["may have done what it did not answer"] = function()
    local world = testing.world()
    world.store_fails("timeout", "no answer", { happened = true })
    expect.refused("timeout", nil, store.create("things", "a", { n = 1 }))
    expect.equal(world.get("things", "a"), { n = 1 })
  end,

  ["does not know what it should fail with"] = function()
    local world = testing.world()
    expect.raises("'eaten' is no code", world.store_fails, "eaten", "by the dog")
    expect.raises("no function 'send'", world.store_fails, "timeout", "x", { on = "send" })
  end,
}

-- --- the mailbox ---------------------------------------------------------------------------------

tests["the mailbox"] = {
  ["keeps what was sent, as it was sent"] = function()
    local world = testing.world()
    local reply = post(world, { mode = "send", cc = { "bob@example.com" }, format = "markdown",
      message = "**Hi** Ann, Größe?", attachments = {
        { filename = "a.txt", content = "QUJD" }, { filename = "größe.txt", content = "REVG" } } })
    expect.equal(reply.status, 200)
    expect.equal(#world.sent, 1)
    local sent = world.sent[1]
    expect.equal(sent.to, { "ann@example.com", "bob@example.com" })
    expect.equal({ sent.subject, sent.from }, { "Größe?", mail.default_sender() })
    expect.holds(sent.html, "<strong>Hi</strong> Ann, Größe?")
    expect.holds(sent.text, "Hi Ann, Größe?")
    expect.equal(sent.headers.to, "Zoë <ann@example.com>")
    local first, second = sent.parts[#sent.parts - 1], sent.parts[#sent.parts]
    expect.equal({ first.filename, first.body, second.filename, second.body },
      { "a.txt", "ABC", "größe.txt", "DEF" })
    expect.holds(sent.bytes:string(), "MIME-Version: 1.0")
    expect.equal(sent.id, reply.json.id)
    expect.equal(world.drafts(), {})
  end,

  ["sends a draft once, and remembers"] = function()
    local world = testing.world()
    local id = post(world, { mode = "draft" }).json.draft_id
    expect.equal(#world.sent, 0)
    local sent = world.request("POST", "/send-draft", { draft_id = id }, { caller = REVIEWER })
    expect.equal({ sent.status, #world.sent, world.sent[1].key }, { 200, 1, id })
    local again = world.request("POST", "/send-draft", { draft_id = id }, { caller = REVIEWER })
    expect.equal({ again.status, again.json.code, #world.sent }, { 409, "already_sent", 1 })
  end,

  ["fails as it is told"] = function()
    local world = testing.world()
    world.mail_fails("gmail_error", "Gmail is down", { on = "draft_send" })
    local id = post(world, { mode = "draft" }).json.draft_id
    local reply = world.request("POST", "/send-draft", { draft_id = id }, { caller = REVIEWER })
    expect.equal({ reply.status, reply.json.error }, { 502, "Gmail is down" })
    expect.equal({ #world.sent, #world.drafts() }, { 0, 0 })
    expect.equal(world.get("drafts", id).status, "pending")
  end,

  ["loses an answer: the mail has left, as is found out"] = function()
    local world = testing.world()
    world.mail_fails("timeout", "no answer", { on = "draft_send", unknown = true, happened = true })
    local id = post(world, { mode = "draft" }).json.draft_id
    local function send()
      return world.request("POST", "/send-draft", { draft_id = id }, { caller = REVIEWER })
    end
    expect.equal({ send().status, #world.sent }, { 200, 1 })
    expect.equal({ send().json.code, #world.sent }, { "already_sent", 1 })
  end,

  ["signs and is there"] = function()
    testing.world()
    assert(#mail.signature() > 0)
    expect.equal(mail.profile(), { address = mail.default_sender() })
    expect.refused("forbidden", nil, mail.profile("eve@example.com"))
  end,
}

-- --- the rest of the world -----------------------------------------------------------------------

tests["what others answer"] = {
  ["is what the test says"] = function()
    local asked
    local world = testing.world()
    world.fetch = function(request)
      asked = request
      return { status = 404, headers = { ["x-a"] = "b" }, body = "none" }
    end
    local reply = assert(fetch { url = "https://crm.example.com/x", method = "POST", body = "hi" })
    expect.equal({ reply.status, reply.headers["x-a"], reply.body:string() }, { 404, "b", "none" })
    expect.equal({ asked.url, asked.body }, { "https://crm.example.com/x", "hi" })
  end,

  ["may take its time"] = function()
    local world = testing.world { now = NOW, fetch = function()
      task.sleep(2000)
      return {}
    end }
    local reply = assert(fetch { url = "https://crm.example.com/" })
    expect.equal({ reply.status, #reply.body }, { 200, 0 })
    expect.equal(world.now(), "2026-03-02T09:00:02.000000Z")
  end,

  ["may be an error"] = function()
    testing.world { fetch = function()
      return nil, { code = "timeout", message = "too late" }
    end }
    expect.refused("timeout", nil, fetch { url = "https://crm.example.com/" })
  end,

  ["is nothing without it"] = function()
    testing.world()
    local err = expect.refused("fetch_error", nil,
      fetch { url = "https://me:topsecret@crm.example.com/x?key=topsecret" })
    expect.holds(err.message, "what https://crm.example.com answers")
    expect.lacks(err.message, "topsecret")
  end,
}

tests["the configuration of a world"] = {
  ["changes, a"] = function()
    testing.world { config = { tracking = false, request_timeout = 5 } }
    expect.equal({ config.tracking, config.request_timeout }, { false, 5 })
  end,

  ["changes, b: and is as before for the next test"] = function()
    expect.equal({ config.tracking, config.request_timeout }, { true, 60 })
    testing.world { config = { tracking = false } }
    testing.world()
    expect.equal(config.tracking, true)
  end,

  ["has a brake of its own"] = function()
    local world = testing.world { config = { no_send = true } }
    local held = post(world, { mode = "send" })
    expect.equal({ held.json.mode, held.json.held }, { "draft", "no_send" })
    local reply = world.request("POST", "/send-draft", { draft_id = held.json.draft_id },
      { caller = REVIEWER })
    expect.equal({ reply.status, reply.json.code, #world.sent }, { 503, "no_send", 0 })
    expect.equal(post(testing.world(), { mode = "send" }).json.mode, "send")
  end,

  ["an option that there is not"] = function()
    expect.raises("a world has no option 'clock'", testing.world, { clock = NOW })
  end,
}

-- --- requests ------------------------------------------------------------------------------------

--- { method, target, caller, status, code }
local answers = {
  { name = "a path that there is not", "GET", "/nowhere", nil, 404, "not_found" },
  { name = "another method", "DELETE", "/drafts", nil, 405, "method_not_allowed" },
  { name = "a bad path", "GET", "/drafts/%FF", nil, 400, "malformed_request" },
  { name = "a caller without the role", "GET", "/drafts", SENDER, 403, "forbidden" },
  { name = "a caller with it", "GET", "/drafts?status=pending&limit=1", REVIEWER, 200 },
  { name = "the roles of access.lua", "GET", "/drafts", { name = "ann" }, 200 },
  { name = "nobody in particular", "GET", "/drafts", nil, 200 },
  { name = "a bad query", "GET", "/drafts?limit=0", nil, 400, "invalid_field" },
  { name = "a public route", "GET", "/health", { name = "x", roles = {} }, 200 },
  { name = "HEAD", "HEAD", "/health", nil, 200 },
}

tests["a request is answered as the host does it"] = testing.cases(answers, function(case)
  local method, target, caller, status, code = table.unpack(case, 1, 5)
  local reply = testing.world().request(method, target, nil, { caller = caller })
  expect.equal({ reply.status, reply.json and reply.json.code }, { status, code })
end)

tests["a request"] = {
  ["has the headers that it is given, in lower case"] = function()
    local world = testing.world()
    local options = { caller = SENDER, headers = { ["Idempotency-Key"] = "k" } }
    local first, second = post(world, {}, options), post(world, {}, options)
    expect.equal(second.headers["Idempotency-Replayed"], "true")
    expect.equal(second.json.draft_id, first.json.draft_id)
    world.advance(49 * 60 * 60)
    idempotency.sweep()
    assert(post(world, {}, options).json.draft_id ~= first.json.draft_id)
  end,

  ["can have any body"] = function()
    local world = testing.world()
    local headers = { ["content-type"] = "application/json" }
    local reply = world.request("POST", "/", "{", { caller = SENDER, headers = headers })
    expect.equal(reply.json.code, "malformed_json")
    headers = { ["Content-Type"] = "text/plain" }
    reply = world.request("POST", "/", "a=b", { caller = SENDER, headers = headers })
    expect.equal(reply.status, 415)
  end,

  ["that is no JSON is answered with its body"] = function()
    local reply = testing.world().request("GET", "/pixel?id=x")
    expect.equal({ reply.status, reply.headers["Content-Type"], reply.json, #reply.body },
      { 200, "image/gif", nil, 43 })
  end,

  ["whose policy breaks tells where"] = function()
    local world = testing.world()
    local direct = require "lib.direct"
    expect.while_replaced(direct, "send", function() error("broken") end, function()
      local reply = post(world, { mode = "send" })
      expect.equal({ reply.status, reply.json.code }, { 500, "policy_error" })
      expect.holds(reply.trace, "broken")
      expect.lacks(reply.body, "broken")
    end)
  end,

  ["that is refused with a code that there is not tells which"] = function()
    local world = testing.world()
    local function send() return nil, { code = "nope", message = "hey" } end
    expect.while_replaced(require "lib.direct", "send", send, function()
      local reply = post(world, { mode = "send" })
      expect.equal({ reply.status, reply.json.code }, { 500, "internal_error" })
      expect.holds(reply.json.error, "nope")
    end)
  end,

  ["that takes too long is cut off at its deadline"] = function()
    local world = testing.world { now = NOW }
    local pixels = require "api.pixel"
    local before = time.monotonic()
    expect.while_replaced(store, "increment", function() return task.sleep(60000) end, function()
      expect.equal(world.request("GET", "/pixel?id=" .. crypto.uuid4()).status, 200)
    end)
    assert(pixels and time.monotonic() - before <= 2000)
  end,

  ["with a role that there is not"] = function()
    local world = testing.world()
    expect.raises("'boss' is no role", world.request, "GET", "/drafts", nil,
      { caller = { name = "x", roles = { "boss" } } })
  end,

  ["many at the same time"] = function()
    local world = testing.world()
    local requests = {}
    for i = 1, 20 do requests[i] = function() return post(world, { mode = "send" }) end end
    for _, result in ipairs(task.all(requests)) do expect.equal(result[1].status, 200) end
    expect.equal(#world.sent, 20)
  end,
}

return tests
