--- The stored documents of pixels: what counts the opens of a mail.

local config = require "paraph.config"
local fail = require "lib.fail"
local json = require "paraph.json"
local log = require "paraph.log"
local step = require "lib.step"
local store = require "paraph.store"
local time = require "paraph.time"

local pixels = {}

local ATTEMPTS = 2

--- One of an earlier attempt, which may be about to take it away: written anew, it has another
--- version. Its mail leaves now, unless it was opened already.
---@return string? version   nil alone: it is gone
---@return paraph.err? err
local function renew(pixel_id, document)
  local there, version = store.get(config.pixel_collection, pixel_id, { without = "opens" })
  if not there then return nil, version end
  local was_opened = (math.tointeger(there.open_count) or 0) > 0
  return store.update(config.pixel_collection, pixel_id, {
    to = document.to,
    subject = document.subject,
    created_at = not was_opened and time.now() or nil,
  }, { version = version })
end

--- A pixel is known before it can be asked for.
---@async
---@param pixel_id? string          nil: not tracked, nothing to do
---@param document paraph.document  of the mail
---@param draft_id? string
---@return string? version          "" if there was nothing to do
---@return paraph.err? err
function pixels.open(pixel_id, document, draft_id)
  if not pixel_id then return "" end
  local opening = step.begin()
  local version, err
  for _ = 1, ATTEMPTS do
    version, err = store.create(config.pixel_collection, pixel_id, {
      to = document.to,
      subject = document.subject,
      open_count = 0,
      created_at = time.now(),
      first_opened_at = json.null,
      last_opened_at = json.null,
      draft_id = draft_id,
      template = document.template,
      trace_id = document.trace_id,
    })
    if version then step.ended("debug", "pixel stored", opening, { pixel_id = pixel_id }) end
    if version or err.code ~= "already_exists" then return version, err end
    version, err = renew(pixel_id, document)
    if version or err and err.code ~= "conflict" then return version, err end
  end
  return fail("conflict", "others are sending this draft just now; try again")
end

--- Nobody will open what has not left. What somebody else has written since is his.
---@async
---@param pixel_id? string
---@param version? string           as open() gave it; nil: it did not
function pixels.close(pixel_id, version)
  if not pixel_id or not version then return end
  local ok, err = store.delete(config.pixel_collection, pixel_id, { version = version })
  if not ok and err.code ~= "conflict" then
    log.warning("pixel left behind", { pixel_id = pixel_id, error = err.message })
  end
end

return pixels
