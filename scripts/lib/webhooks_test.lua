local config = require "paraph.config"
local expect = require "lib.expect"
local json = require "paraph.json"
local testing = require "paraph.testing"
local webhooks = require "lib.webhooks"

local PIXEL = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
local DAY = 24 * 60 * 60
local ALL = { ["draft.created"] = true, ["draft.held"] = true, ["draft.rejected"] = true,
  sent = true, ["send.failed"] = true, opened = true }

--- A world with endpoints that answer so, and what they were sent; and of the first of them all
--- that waits.
local function world_with(answer, endpoints)
  local posts = {}
  local world = testing.world {
    config = { webhooks = endpoints or 1, webhook_events = ALL },
    fetch = function(request)
      posts[#posts + 1] = request
      request.event = json.decode(request.body)
      return answer(request, #posts)
    end,
  }
  return world, posts, function() return world.all(config.draft_collection .. "_webhooks") end
end

local function status(code, headers)
  return function() return { status = code, headers = headers } end
end

local function refused()
  return nil, { code = "fetch_error", message = "refused", status = 502 }
end

local function draft(world, members)
  local body = { to = "ann@example.com", subject = "Hello", message = "Hi", mode = "draft" }
  for name, value in pairs(members or {}) do body[name] = value end
  return assert(world.request("POST", "/", body).json.draft_id)
end

--- Deliver every so many seconds, for so long.
local function deliver_for(world, seconds, step)
  for _ = 1, seconds, step do
    webhooks.deliver(1)
    world.advance(step)
  end
end

local tests = {}

tests["nobody has asked: nothing is written"] = function()
  local world = testing.world()
  draft(world)
  expect.equal(world.all(config.draft_collection .. "_webhooks"), {})
end

tests["an event is posted, and forgotten"] = function()
  local world, posts, waiting = world_with(status(200))
  local id = draft(world)
  local event_id = next(waiting())
  webhooks.deliver(1)
  webhooks.deliver(1)
  expect.equal(#posts, 1)
  expect.equal(posts[1].headers["webhook-id"], event_id)
  expect.equal(posts[1].url, "https://endpoint-1.test/")
  expect.equal(posts[1].event, { type = "draft.created", timestamp = world.now(),
    data = { draft_id = id, to = "ann@example.com", subject = "Hello", status = "pending" } })
  expect.equal(waiting(), {})
end

tests["each endpoint has its own"] = function()
  local world, posts = world_with(status(200), 3)
  draft(world)
  webhooks.deliver(2)
  expect.equal(#posts, 1)
  webhooks.deliver(3)
  webhooks.deliver(1)
  expect.equal({ posts[1].url, posts[2].url, posts[3].url }, { "https://endpoint-2.test/",
    "https://endpoint-3.test/", "https://endpoint-1.test/" })
  expect.equal(posts[1].headers["webhook-id"], posts[3].headers["webhook-id"])
end

tests["it is tried again, later and later, under the same id and with the same bytes"] = function()
  local world, posts = world_with(status(500))
  draft(world)
  local at = {}
  for second = 0, 12000 do
    local before = #posts
    webhooks.deliver(1)
    if #posts > before then at[#at + 1] = second end
    world.advance(1)
  end
  for i, wanted in ipairs { 5, 30, 120, 600, 1800, 3600 } do
    local waited = at[i + 1] - at[i]
    assert(waited >= wanted * 0.9 and waited <= wanted * 1.1 + 2, waited)
    expect.equal(posts[i + 1].body, posts[1].body)
    expect.equal(posts[i + 1].headers["webhook-id"], posts[1].headers["webhook-id"])
  end
end

tests["after three days it is dropped"] = function()
  local world, posts, waiting = world_with(status(503))
  draft(world)
  deliver_for(world, 3 * DAY - 2 * 3600, 600)
  assert(#posts > 60 and next(waiting()), #posts)
  deliver_for(world, 3 * 3600, 600)
  expect.equal(waiting(), {})
end

tests["what an endpoint that never answers leaves is dropped after three days"] = function()
  local world, _, waiting = world_with(refused)
  for _ = 1, 100 do draft(world) end
  webhooks.deliver(1)
  world.advance(3 * DAY + 60)
  for _ = 1, 4 do webhooks.deliver(1) end
  expect.equal(waiting(), {})
end

tests["where nobody answers, few are tried at once"] = function()
  local world, posts = world_with(refused)
  for _ = 1, 100 do draft(world) end
  webhooks.deliver(1)
  expect.equal(#posts, 8)
end

tests["a backlog of many pages is delivered when somebody answers again"] = function()
  local there = false
  local world, _, waiting = world_with(function()
    if there then return { status = 200 } end
    return refused()
  end)
  for _ = 1, 200 do draft(world) end
  webhooks.deliver(1)
  there = true
  world.advance(6)
  webhooks.deliver(1)
  expect.equal(waiting(), {})
end

tests["Retry-After is heeded, within bounds"] = testing.cases({
  { asked = "100", waits = 100 }, { asked = "1", waits = 4.5 }, { asked = "86400", waits = 3600 },
  { asked = "Thu, 01 Jan 2026 00:01:40 GMT", waits = 100 },
  { asked = "Fri, 02 Jan 2026 00:00:00 GMT", waits = 3600 },
  { asked = "Fri, 31 Dec 1999 23:59:59 GMT", waits = 4.5 }, { asked = "-5", waits = 4.5 },
  { asked = "nan", waits = 4.5 }, { asked = "0x10", waits = 4.5 },
}, function(row)
  local world, posts = world_with(status(429, { ["retry-after"] = row.asked }))
  draft(world)
  webhooks.deliver(1)
  world.advance(row.waits - 1)
  webhooks.deliver(1)
  expect.equal(#posts, 1)
  world.advance(math.max(3, row.waits * 0.1 + 1))
  webhooks.deliver(1)
  expect.equal(#posts, 2)
end)

tests["2xx is taken, and gone is not asked again; a redirect is neither"] = testing.cases({
  { code = 200, left = 0 }, { code = 202, left = 0 }, { code = 204, left = 0 },
  { code = 410, left = 0 }, { code = 301, left = 1 }, { code = 404, left = 1 },
  { code = 500, left = 1 },
}, function(row)
  local world, _, waiting = world_with(status(row.code))
  draft(world)
  webhooks.deliver(1)
  expect.equal(next(waiting()) and 1 or 0, row.left)
end)

tests["what another instance is delivering is left to it, for a while"] = function()
  local world, posts
  world, posts = world_with(function(_, n)
    if n == 1 then webhooks.deliver(1) end -- as another instance would, meanwhile
    return { status = 200 }
  end)
  draft(world)
  webhooks.deliver(1)
  expect.equal(#posts, 1)
end

--- The event that waits becomes due at a time, after an attempt.
local function put_off(world, due_at)
  local outbox = config.draft_collection .. "_webhooks"
  local id, event = next(world.all(outbox))
  event.due_at, event.attempts = due_at, 1
  world.put(outbox, id, event)
end

tests["an event is not left waiting by a clock that was set back"] = function()
  local world, posts = world_with(status(200))
  draft(world)
  put_off(world, "2026-01-01T02:00:01Z")
  webhooks.deliver(1)
  expect.equal(#posts, 1)
end

tests["an event whose deliverer is gone is delivered by another"] = function()
  local world, posts = world_with(status(200))
  draft(world)
  put_off(world, "2026-01-01T00:00:30Z")
  webhooks.deliver(1)
  expect.equal(#posts, 0)
  world.advance(31)
  webhooks.deliver(1)
  expect.equal(#posts, 1)
end

tests["a delivery that cannot be deleted is repeated under its id"] = function()
  local world, posts = world_with(status(200))
  draft(world)
  world.store_fails("store_error", "the disk is full", { on = "delete" })
  webhooks.deliver(1)
  world.advance(31)
  webhooks.deliver(1)
  expect.equal(#posts, 2)
  expect.equal(posts[1].headers["webhook-id"], posts[2].headers["webhook-id"])
end

tests["a draft that is not stored is not told"] = function()
  local world, _, waiting = world_with(status(200))
  world.store_fails("store_error", "down", { on = "create" })
  local reply = world.request("POST", "/",
    { to = "ann@example.com", subject = "Hello", message = "Hi", mode = "draft" })
  assert(reply.status >= 500)
  expect.equal(waiting(), {})
end

tests["a send that failed may fail again, and is told again"] = function()
  local world, posts = world_with(status(200))
  local id = draft(world)
  for _ = 1, 2 do
    world.mail_fails("gmail_error", "refused", { on = "draft_send" })
    assert(world.request("POST", "/send-draft", { draft_id = id }).status ~= 200)
  end
  assert(world.request("POST", "/send-draft", { draft_id = id }).status == 200)
  webhooks.deliver(1)
  local told, ids = {}, {}
  for _, post in ipairs(posts) do
    told[post.event.type] = (told[post.event.type] or 0) + 1
    ids[post.headers["webhook-id"]] = true
    assert(post.event.type ~= "sent" or not post.event.data.error)
  end
  expect.equal(told, { ["draft.created"] = 1, ["send.failed"] = 2, sent = 1 })
  local n = 0
  for _ in pairs(ids) do n = n + 1 end
  expect.equal(n, 4)
end

tests["a direct send whose outcome is not known is told as such"] = function()
  local world, posts = world_with(status(200))
  world.mail_fails("timeout", "no answer", { on = "send", unknown = true })
  assert(world.request("POST", "/",
    { to = "ann@example.com", subject = "Hello", message = "Hi", mode = "send" }).status ~= 200)
  webhooks.deliver(1)
  expect.equal({ posts[1].event.type, posts[1].event.data.unknown }, { "send.failed", true })
end

tests["an event of a direct send is kept though the store stumbles"] = function()
  local world, posts = world_with(status(200))
  world.store_fails("store_error", "busy", { on = "create" })
  assert(world.request("POST", "/", { to = "ann@example.com", subject = "Hello", message = "Hi",
    mode = "send", tracking = false }).status == 200)
  webhooks.deliver(1)
  expect.equal(posts[1].event.type, "sent")
end

tests["of opens the first that somebody stands behind is told, and of each kind"] = function()
  local world, posts = world_with(status(200))
  world.put("pixels", PIXEL, { to = "ann@example.com", subject = "Hello", open_count = 0,
    created_at = world.now() })
  world.advance(60)
  for _, agent in ipairs { "", "Mozilla/5.0", "curl/8", "Thunderbird", "Thunderbird",
    "GoogleImageProxy", "GoogleImageProxy" } do
    world.request("GET", "/pixel?id=" .. PIXEL, nil, { headers = { ["user-agent"] = agent } })
  end
  webhooks.deliver(1)
  local kinds = {}
  for i, post in ipairs(posts) do kinds[i] = post.event.data.kind end
  table.sort(kinds)
  expect.equal(kinds, { "person", "proxy" })
  expect.equal(posts[1].event.data.pixel_id, PIXEL)
end

return tests
