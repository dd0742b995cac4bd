--- The stored documents of pixels: what counts the opens of a mail.

local config = require "paraph.config"
local json = require "paraph.json"
local log = require "paraph.log"
local store = require "paraph.store"
local time = require "paraph.time"

local pixels = {}

--- A pixel is known before it can be asked for. One that is there already is of an earlier attempt.
---@async
---@param pixel_id? string          nil: not tracked, nothing to do
---@param document paraph.document  of the mail
---@param draft_id? string
---@return true? ok
---@return paraph.err? err
function pixels.open(pixel_id, document, draft_id)
  if not pixel_id then return true end
  local ok, err = store.create(config.pixel_collection, pixel_id, {
    to = document.to,
    subject = document.subject,
    open_count = 0,
    created_at = time.now(),
    first_opened_at = json.null,
    last_opened_at = json.null,
    draft_id = draft_id,
  })
  if ok or err.code == "already_exists" then return true end
  return nil, err
end

--- Nobody will open what has not left.
---@async
---@param pixel_id? string
function pixels.close(pixel_id)
  if not pixel_id then return end
  local ok, err = store.delete(config.pixel_collection, pixel_id)
  if not ok then log.warning("pixel left behind", { pixel_id = pixel_id, error = err.message }) end
end

return pixels
