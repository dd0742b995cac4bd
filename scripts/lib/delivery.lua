--- Letting a message out. A reviewed draft: build → claim → pixel → draft in the mailbox → send it
--- → mark. Each step is written down before the next, so that whoever finds a draft halfway knows
--- what may have happened, and goes on from there. Of a direct send nothing is written down.

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

local SEND_ATTEMPTS = 2
local MARK_ATTEMPTS = 5
local MARK_PAUSE_MS = 50 -- after the first attempt; doubled after each

---@class delivered
---@field id? string         of the message in the mailbox; nil: settled, but not known
---@field thread_id? string
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

--- Who holds it may send the draft. It is lost as soon as somebody else writes.
---@class claim
---@field draft draft
---@field version string             of the document, as the claim last wrote it
---@field staged? paraph.mail.draft  waits in the mailbox

--- Write a step of a claim down.
local function write_down(claim, members, removed)
  local version, err = store.update(config.draft_collection, claim.draft.id, members,
    { version = claim.version, remove = removed })
  if version then
    claim.version = version
    return true
  end
  if not err or err.code == "conflict" then
    return fail("in_progress", "somebody else is sending or changing this draft just now")
  end
  return nil, err
end

--- What is written down of a draft in the mailbox.
local steps = { "gmail_draft_id", "gmail_mailbox", "gmail_thread_id", "unsettled" }

local function staged_before(draft)
  local document = draft.document
  if document.status ~= "sending" or not document.gmail_draft_id then return nil end
  return {
    id = document.gmail_draft_id,
    mailbox = document.gmail_mailbox,
    thread_id = document.gmail_thread_id,
    key = draft.id,
  }
end

--- The claim demands the version that was built, so what was built is what is sent. What it
--- answers is kept with it: threads go on.
local function take_claim(draft, pixel_id, reply_headers, caller)
  local claim = { draft = draft, version = draft.version, staged = staged_before(draft) }
  local now = time.now()
  local ok, err = write_down(claim, {
    status = "sending",
    sending_since = now,
    attempt = (math.tointeger(draft.document.attempt) or 0) + 1,
    pixel_id = pixel_id,
    reply_headers = next(reply_headers) and reply_headers or nil,
    reviewed_by = caller.name,
    reviewed_at = now,
  })
  if not ok then return nil, err end
  return claim
end

--- The mail surely did not leave: the draft waits for review again. False: it does not, and may yet
--- be sent by whoever takes the claim over.
local function release(claim, err)
  local ok, failure = write_down(claim, { status = "pending", error = err.message },
    { "sending_since", "pixel_id", "reply_headers", "reviewed_by", "reviewed_at",
      table.unpack(steps) })
  if not ok and failure.code ~= "in_progress" then
    log.error("draft left in sending", { draft_id = claim.draft.id, error = failure.message })
  end
  return ok
end

--- Nobody knows whether the mail left: the claim stays, and whoever takes it over settles it.
local function leave_open(claim, err)
  log.error("outcome of a send unknown", { draft_id = claim.draft.id, error = err.message })
  write_down(claim, { error = err.message })
end

local function discard(staged)
  local ok, err = mail.draft_delete(staged)
  if not ok then
    log.warning("draft left behind in the mailbox", { mailbox = staged.mailbox, id = staged.id,
      error = err.message })
  end
end

--- The mail is out, so this is tried hard, and whoever holds the claim by now: the mailbox let it
--- out only once. If it fails for good, taking over the claim will find the mail sent.
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
      { remove = { "sending_since", "error", "gmail_mailbox", "gmail_thread_id", "unsettled" } })
    if ok or not err then return end
    if attempt < MARK_ATTEMPTS then task.sleep(MARK_PAUSE_MS << (attempt - 1)) end
  end
  log.error("sent draft not marked", { draft_id = draft.id, error = err.message })
end

--- Whether the document names the staged message all the same, or may do so: a write whose answer
--- was lost looks like somebody else's.
local function is_written_down(claim)
  local draft = drafts.load(claim.draft.id)
  return not draft or draft.document.gmail_draft_id == claim.staged.id
end

--- Put the message into the mailbox, and write down where it waits before anything may send it.
--- Without drafts, claim.staged stays nil.
local function stage(claim, built)
  local staged, err = mail.draft_create(built)
  if err then return nil, err end
  if not staged then return true end
  claim.staged = staged
  local ok
  ok, err = write_down(claim, {
    gmail_draft_id = staged.id,
    gmail_mailbox = staged.mailbox,
    gmail_thread_id = staged.thread_id,
  })
  if not ok and err.code == "in_progress" and not is_written_down(claim) then discard(staged) end
  return ok, err
end

--- Send what is staged. The mailbox sends it only once, so where there was no answer the draft
--- tells: gone is sent, there is not sent, and sending it again is safe. Nothing else is, from then
--- on: the attempt without an answer may still be under way.
local function send_staged(staged)
  local sent, err, there
  for attempt = 1, SEND_ATTEMPTS do
    sent, err = mail.draft_send(staged)
    if sent then return sent end
    local refused = not err.unknown and err.code ~= "not_found"
    if refused and attempt == 1 then return nil, err end
    there, sent = mail.draft_exists(staged)
    if there == false then return sent end
  end
  err.unknown = true
  return nil, err
end

--- The mailbox keeps no drafts for us: a send that nothing can settle.
local function send_unsettled(claim, built)
  local ok, err = write_down(claim, { unsettled = true })
  if not ok then return nil, err end
  return mail.send(built)
end

--- Let out what is claimed, from the step that is written down.
local function let_out(claim, built)
  if claim.draft.document.unsettled then
    return fail("gmail_error",
      "nobody knows whether this draft was sent: look into the mailbox before sending it again")
  end
  if not claim.staged then
    local ok, err = stage(claim, built)
    if not ok then return nil, err end
  end
  if not claim.staged then return send_unsettled(claim, built) end
  return send_staged(claim.staged)
end

--- Nothing was sent, or nobody knows.
local function give_up(claim, pixel_id, err)
  if err.unknown then
    leave_open(claim, err)
  elseif release(claim, err) then -- first: with a claim on it, a draft that is gone counts as sent
    close_pixel(pixel_id)
    if claim.staged then discard(claim.staged) end
  end
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
  local contents, reply_headers, built, claim, sent, ok
  contents, err = drafts.contents(draft)
  if not contents then return nil, err end
  reply_headers, err = message.reply_headers(draft.document)
  if not reply_headers then return nil, err end
  draft.document.reply_headers = reply_headers
  local pixel_id = message.pixel_id(draft.id, draft.document)
  built, err = message.build(draft.id, draft.document, contents, pixel_id)
  if not built then return nil, err end
  if etag and etag ~= built:etag() then
    return fail("changed_since_review", "the message is no longer the one that was reviewed")
  end

  claim, err = take_claim(draft, pixel_id, reply_headers, caller)
  if not claim then return nil, err end
  ok, err = open_pixel(pixel_id, draft.document, draft.id)
  if ok then sent, err = let_out(claim, built) end
  if not sent then
    give_up(claim, pixel_id, err)
    return nil, err
  end
  mark_sent(draft, sent)
  return { id = sent.id, thread_id = sent.thread_id, pixel_id = pixel_id }
end

--- The pixel of a mail that is out: tried again, since the mail cannot be taken back.
local function reopen_pixel(pixel_id, document)
  local ok, err = open_pixel(pixel_id, document)
  if not ok then
    log.error("mail sent without its pixel", { pixel_id = pixel_id, error = err.message })
  end
  return ok and pixel_id or nil
end

--- Send a message that is no draft. Never repeated: nothing could settle it. The pixel is kept
--- while the mail is on its way, and nobody can ask for it before.
---@async
---@param built paraph.message
---@param document paraph.document
---@param pixel_id? string
---@return delivered?
---@return paraph.err? err
function delivery.send_now(built, document, pixel_id)
  local results, err = task.all {
    function() return mail.send(built) end,
    function() return open_pixel(pixel_id, document) end,
  }
  if not results then
    err.unknown = true
    return nil, err
  end
  local sent, kept = results[1][1], results[2][1]
  err = results[1][2]
  if not sent then
    if not err.unknown then close_pixel(pixel_id) end
    return nil, err
  end
  if not kept then pixel_id = reopen_pixel(pixel_id, document) end
  return { id = sent.id, thread_id = sent.thread_id, pixel_id = pixel_id }
end

return delivery
