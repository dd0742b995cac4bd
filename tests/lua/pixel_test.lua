--- GET /pixel, on the embedded store.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local expect = require "lib.expect"
local json = require "paraph.json"
local opens = require "policy.opens"
local pixel = require "api.pixel"
local store = require "paraph.store"

local function new_pixel()
  local id = crypto.uuid4()
  assert(store.create(config.pixel_collection, id, {
    to = "ann@example.com", subject = "Hello", open_count = 0,
    created_at = "2026-01-01T00:00:00.000000Z",
    first_opened_at = json.null, last_opened_at = json.null,
  }))
  return id
end

local function open(id, head)
  local reply = pixel.get { method = "GET", query = { id = id }, headers = {}, head = head }
  expect.equal({ reply.status or 200, reply.type, #reply.body }, { 200, "image/gif", 43 })
  return reply
end

local function document(id)
  return assert(store.get(config.pixel_collection, id))
end

return {
  ["opens are counted, the first and the last remembered"] = function()
    local id = new_pixel()
    open(id)
    local first = document(id).first_opened_at
    open(id:upper())
    local counted = document(id)
    expect.equal({ counted.open_count, counted.first_opened_at }, { 2, first })
    assert(counted.last_opened_at >= first)
  end,

  ["HEAD counts nothing"] = function()
    local id = new_pixel()
    open(id, true)
    expect.equal({ document(id).open_count, document(id).first_opened_at }, { 0, json.null })
  end,

  ["whatever is asked for, there is an image"] = function()
    open(nil)
    open("")
    open("nonsense")
    open(crypto.uuid4())
  end,

  ["a store that is down costs the count, not the image"] = function()
    local down = function() return nil, { code = "store_error", message = "down" } end
    expect.while_replaced(store, "increment", down, function() open(crypto.uuid4()) end)
  end,

  ["the policy sees who asks, and says what is kept"] = function()
    local id, seen = new_pixel(), nil
    local headers = { ["user-agent"] = "Reader/1", referer = "https://x.example/",
      ["sec-purpose"] = "prefetch", ["x-forwarded-for"] = "192.0.2.1, 192.0.2.2" }
    expect.while_replaced(opens, "classify", function(open_seen)
      seen = open_seen
      return "proxy", "because", { agent = "x", [7] = "y", z = 7 }
    end, function()
      pixel.get { method = "GET", query = { id = id }, headers = headers, remote = "192.0.2.3" }
    end)
    expect.equal({ seen.user_agent, seen.referer, seen.purpose, seen.remote, seen.forwarded },
      { "Reader/1", "https://x.example/", "prefetch", "192.0.2.3", "192.0.2.1, 192.0.2.2" })
    expect.equal({ seen.count, seen.pixel.to, seen.age >= 0 }, { 0, "ann@example.com", true })
    local kept = document(id)
    expect.equal({ kept.open_count, kept.opens_proxy, kept.last_open },
      { 1, 1, { kind = "proxy", reason = "because", agent = "x" } })
  end,

  ["no cache keeps it"] = function()
    expect.equal(open(nil).headers["Cache-Control"],
      "no-cache, no-store, must-revalidate, max-age=0, private")
  end,

  ["pages of others may show it"] = function()
    expect.equal(open(nil).headers["Cross-Origin-Resource-Policy"], "cross-origin")
  end,
}
