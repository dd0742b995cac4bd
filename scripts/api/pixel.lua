--- GET /pixel?id=…: the image that counts opens. Whatever happens, it is an image: mail programs
--- show anything else as broken.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local log = require "paraph.log"
local store = require "paraph.store"

local pixel = {}

--- 1×1, transparent.
local GIF = "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0\x21\xF9\x04\x01\0\0\0\0"
  .. "\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3B"

local IMAGE = {
  type = "image/gif",
  body = GIF,
  headers = { ["Cache-Control"] = "no-cache, no-store, must-revalidate, max-age=0, private" },
}

--- Count before answering, since Cloud Run stops the CPU after the answer.
local function count(id)
  local found, err = store.increment(config.pixel_collection, id:lower(),
    { counter = "open_count", first = "first_opened_at", last = "last_opened_at" })
  if err then
    log.warning("open lost", { pixel_id = id, error = err.message })
  elseif not found then
    log.debug("open of an unknown pixel", { pixel_id = id })
  end
end

---@param req paraph.request
---@return paraph.reply
function pixel.get(req)
  local id = req.query.id
  if not req.head and crypto.is_uuid(id) then count(id) end
  return IMAGE
end

return pixel
