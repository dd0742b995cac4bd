--- Sending a message that is no draft, at once. Never repeated: nothing could settle it. (With an
--- Idempotency-Key it is a draft: lib/delivery.lua.)

local correspondents = require "lib.correspondents"
local drafts = require "lib.drafts"
local log = require "paraph.log"
local mail = require "paraph.mail"
local pixels = require "lib.pixels"
local sends = require "lib.sends"
local step = require "lib.step"
local task = require "paraph.task"
local webhooks = require "lib.webhooks"

local direct = {}

--- Both at the same time: nobody can ask for the pixel before the mail is there.
---@return { id: string, thread_id: string }? sent
---@return paraph.err? err
---@return string? kept   version of the pixel
local function let_out(built, document, pixel_id)
  local results, err = task.all {
    function() return mail.send(built) end,
    function() return pixels.open(pixel_id, document) end,
  }
  if not results then return nil, drafts.merged(err, { unknown = true }, {}) end
  return results[1][1], results[1][2], results[2][1]
end

--- The pixel of a mail that is out: tried again, since the mail cannot be taken back.
local function reopen_pixel(pixel_id, document)
  local ok, err = pixels.open(pixel_id, document)
  if not ok then
    log.error("mail sent without its pixel", { pixel_id = pixel_id, error = err.message })
  end
  return ok and pixel_id or nil
end

---@async
---@param built paraph.message
---@param document paraph.document
---@param pixel_id? string
---@return delivered?
---@return paraph.err? err   err.unknown: it may have left
function direct.send(built, document, pixel_id)
  local attempt = { document = document, began = step.begin() }
  local sent, err, kept = let_out(built, document, pixel_id)
  if not sent then
    if not err.unknown then pixels.close(pixel_id, kept) end
    webhooks.tell("send.failed", document, { error = err.message, unknown = err.unknown })
    return sends.ended(attempt, nil, err)
  end
  if not kept then pixel_id = reopen_pixel(pixel_id, document) end
  local delivered = { id = sent.id, thread_id = sent.thread_id, pixel_id = pixel_id }
  webhooks.tell("sent", document,
    { message_id = sent.id, thread_id = sent.thread_id, pixel_id = pixel_id })
  correspondents.remember(document)
  return sends.ended(attempt, delivered)
end

return direct
