--- GET /pixel?id=…: the image that counts opens. Whatever happens, it is an image: mail programs
--- show anything else as broken.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local hooks = require "lib.hooks"
local json = require "paraph.json"
local log = require "paraph.log"
local metrics = require "paraph.metrics"
local step = require "lib.step"
local store = require "paraph.store"
local time = require "paraph.time"
local webhooks = require "lib.webhooks"

local pixel = {}

--- 1×1, transparent.
local GIF = "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0\x21\xF9\x04\x01\0\0\0\0"
  .. "\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3B"

local IMAGE = {
  type = "image/gif",
  body = GIF,
  headers = {
    ["Cache-Control"] = "no-cache, no-store, must-revalidate, max-age=0, private",
    ["Cross-Origin-Resource-Policy"] = "cross-origin", -- shown in mail programs on the web
  },
}

local KEPT_MAX = 100 -- opens of a message that are kept one by one

--- What the policy sees of an open.
---@return open
local function open_of(req, document)
  local headers = req.headers
  local left = type(document.created_at) == "string" and time.parse(document.created_at)
  return {
    user_agent = headers["user-agent"] or "",
    referer = headers.referer or "",
    purpose = headers["sec-purpose"] or headers.purpose or headers["x-moz"] or "",
    remote = req.remote,
    forwarded = headers["x-forwarded-for"] or "",
    age = left and time.parse(time.now()) - left or math.huge,
    count = math.tointeger(document.open_count) or 0,
    base_url = config.pixel_base_url or "",
    pixel = document,
  }
end

--- The members of the stored pixel that tell of the last open.
local function last_open(kind, reason, kept)
  local told = { kind = kind, reason = reason }
  for name, value in pairs(kept or {}) do
    if type(name) == "string" and type(value) == "string" then told[name] = value end
  end
  return { last_open = told }
end

--- Count before answering, since Cloud Run stops the CPU after the answer.
local function count(id, req)
  local counting = step.begin()
  local document, version = store.get(config.pixel_collection, id, { without = "opens" })
  if not document then return nil, version end
  log.mail(document.trace_id)
  local options = { counter = "open_count", last = "last_opened_at" }
  if (document.first_opened_at or json.null) == json.null then
    options.first, options.version = "first_opened_at", version
  end
  local kind, reason, kept = hooks.classify(open_of(req, document))
  options.also, options.set = "opens_" .. kind, last_open(kind, reason, kept)
  if (math.tointeger(document.open_count) or 0) < KEPT_MAX then
    options.append = { member = "opens", value = { at = time.now(), kind = kind, reason = reason } }
  end
  options.with = webhooks.of_open(id, document, kind)
  local found, err = store.increment(config.pixel_collection, id, options)
  if found then
    webhooks.wake(options.with)
    metrics.count("paraph_opens_total", { kind = kind })
    step.ended("info", "open", counting,
      { pixel_id = id, draft_id = document.draft_id, kind = kind, reason = reason })
  end
  return found, err
end

---@param req paraph.request
---@return paraph.reply
function pixel.get(req)
  local id = req.query.id
  if req.head or not crypto.is_uuid(id) then return IMAGE end
  id = id:lower()
  local found, err = count(id, req)
  if err then
    metrics.count("paraph_opens_total", { kind = "lost" })
    log.warning("open lost", { pixel_id = id, error = err.message })
  elseif not found then
    log.debug("open of an unknown pixel", { pixel_id = id })
  end
  return IMAGE
end

return pixel
