--- Letting a message out: build → claim → pixel → send → mark. Each step is written down before the
--- next, so that whoever finds a draft halfway knows what may have happened.

local config = require "paraph.config"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local json = require "paraph.json"
local log = require "paraph.log"
local mail = require "paraph.mail"
local message = require "lib.message"
local store = require "paraph.store"
local task = require "paraph.task"
local time = require "paraph.time"

local delivery = {}

local MARK_ATTEMPTS = 5
local MARK_PAUSE_MS = 50 -- after the first attempt; doubled after each

---@class delivered
---@field id string          of the message in the mailbox
---@field thread_id string
---@field pixel_id? string   nil: not tracked

--- A pixel is known before it can be asked for. One that is there already is of an earlier attempt.
local function open_pixel(pixel_id, document, draft_id)
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
local function close_pixel(pixel_id)
  if not pixel_id then return end
  local ok, err = store.delete(config.pixel_collection, pixel_id)
  if not ok then log.warning("pixel left behind", { pixel_id = pixel_id, error = err.message }) end
end

--- Whether the claim on a draft that is being sent has outlived its holder.
local function lease_is_over(document)
  local since = type(document.sending_since) == "string" and time.parse(document.sending_since)
  return not since or time.parse(time.now()) - since > 2 * config.request_timeout
end

--- Why this draft cannot be sent; nil if it can.
local function refusal(draft)
  if draft.document.status == "sending" and lease_is_over(draft.document) then return nil end
  return drafts.refusal(draft)
end

--- The claim demands the version that was built, so what was built is what is sent.
local function claim(draft, pixel_id, caller)
  local attempt = math.tointeger(draft.document.attempt) or 0
  local now = time.now()
  local version, err = store.update(config.draft_collection, draft.id, {
    status = "sending",
    sending_since = now,
    attempt = attempt + 1,
    pixel_id = pixel_id,
    reviewed_by = caller.name,
    reviewed_at = now,
  }, { version = draft.version })
  if version then return version end
  if not err or err.code == "conflict" then
    return fail("in_progress", "somebody else is sending or changing this draft just now")
  end
  return nil, err
end

--- The mail surely did not leave: the draft waits for review again.
local function release(draft, version, err)
  local ok, failure = store.update(config.draft_collection, draft.id,
    { status = "pending", error = err.message },
    { version = version, remove = { "sending_since", "pixel_id", "reviewed_by", "reviewed_at" } })
  if not ok then
    log.error("draft left in sending", { draft_id = draft.id, error = failure and failure.message })
  end
end

--- Nobody knows whether the mail left: the claim stays, and its lease settles it.
local function leave_open(draft, version, err)
  log.error("outcome of a send unknown", { draft_id = draft.id, error = err.message })
  store.update(config.draft_collection, draft.id, { error = err.message }, { version = version })
end

--- The mail is out, so this is tried hard, and whoever holds the claim by now: the same key was the
--- same mail. If it fails for good, taking over the claim will find the mail sent.
local function mark_sent(draft, sent)
  local members = {
    status = "sent",
    message_id = sent.id,
    thread_id = sent.thread_id,
    sent_at = time.now(),
  }
  local ok, err
  for attempt = 1, MARK_ATTEMPTS do
    ok, err = store.update(config.draft_collection, draft.id, members,
      { remove = { "sending_since", "error" } })
    if ok or not err then return end
    if attempt < MARK_ATTEMPTS then task.sleep(MARK_PAUSE_MS << (attempt - 1)) end
  end
  log.error("sent draft not marked", { draft_id = draft.id, error = err.message })
end

--- Send a reviewed draft, once.
---@async
---@param draft draft
---@param etag? string          of the message that was reviewed
---@param caller paraph.caller
---@return delivered?
---@return paraph.err? err
function delivery.send_draft(draft, etag, caller)
  local err = refusal(draft)
  if err then return nil, err end
  local contents, built, version, sent, ok
  contents, err = drafts.contents(draft)
  if not contents then return nil, err end
  local pixel_id = message.pixel_id(draft.id, draft.document)
  built, err = message.build(draft.id, draft.document, contents, pixel_id)
  if not built then return nil, err end
  if etag and etag ~= built:etag() then
    return fail("changed_since_review", "the message is no longer the one that was reviewed")
  end

  version, err = claim(draft, pixel_id, caller)
  if not version then return nil, err end
  ok, err = open_pixel(pixel_id, draft.document, draft.id)
  if ok then sent, err = mail.send(built, { key = draft.id }) end
  if sent then
    mark_sent(draft, sent)
    return { id = sent.id, thread_id = sent.thread_id, pixel_id = pixel_id }
  end
  if ok and err.unknown then
    leave_open(draft, version, err)
  else
    close_pixel(pixel_id)
    release(draft, version, err)
  end
  return nil, err
end

--- Send a message that is no draft. Never repeated: without a key nothing could settle it.
---@async
---@param built paraph.message
---@param document paraph.document
---@param pixel_id? string
---@return delivered?
---@return paraph.err? err
function delivery.send_now(built, document, pixel_id)
  local ok, err = open_pixel(pixel_id, document)
  if not ok then return nil, err end
  local sent
  sent, err = mail.send(built)
  if not sent then
    if not err.unknown then close_pixel(pixel_id) end
    return nil, err
  end
  return { id = sent.id, thread_id = sent.thread_id, pixel_id = pixel_id }
end

return delivery
