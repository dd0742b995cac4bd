--- Letting a message out, once.
---
--- A reviewed draft: build → claim → pixel → draft in the mailbox → send that → mark. Each step is
--- written down before the next, and the mailbox lets its draft out only once; so whoever finds a
--- draft halfway, its claim having outlived its holder, knows what may have happened and goes on
--- from there. tests/model/ has the same steps as a model that is checked in full.
---
--- A direct send that may be asked for again goes the same way, but is reviewed by nobody. Of any
--- other one nothing is written down, and nothing is ever repeated.

local config = require "paraph.config"
local correspondents = require "lib.correspondents"
local decisions = require "lib.decisions"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local lease = require "lib.lease"
local log = require "paraph.log"
local mail = require "paraph.mail"
local message = require "lib.message"
local metrics = require "paraph.metrics"
local pixels = require "lib.pixels"
local sends = require "lib.sends"
local step = require "lib.step"
local store = require "paraph.store"
local strays = require "lib.strays"
local sweep = require "lib.sweep"
local task = require "paraph.task"
local time = require "paraph.time"
local webhooks = require "lib.webhooks"

local delivery = {}

local STAGE_ATTEMPTS = 2
local SEND_ATTEMPTS = 2
local MARK_ATTEMPTS = 5
local MARK_PAUSE_MS = 50 -- after the first attempt; doubled after each

---@class delivered
---@field id? string         of the message in the mailbox; nil: settled, but not known
---@field thread_id? string
---@field pixel_id? string   nil: not tracked

-- --- the claim -----------------------------------------------------------------------------------

--- Who holds it may send the draft. When somebody else has written, the next step is not written
--- down, and nothing is done that needs it.
---@class claim
---@field draft draft                as it was when it was claimed
---@field held paraph.claim
---@field began number               of the claim (step.begin)
---@field pixel_id? string
---@field pixel_version? string      as this claim wrote it
---@field staged? paraph.mail.draft  waits in the mailbox
---@field reviewed_by? string        nil: it leaves without a review
---@field reviewed_at? string

--- What is written down between the claim and its end, besides what the claim itself writes.
local STEPS = { "operation_id", "reviewed_etag", "gmail_draft_id", "gmail_mailbox",
  "gmail_thread_id", "withdrawing", "unsettled" }

local function is_abandoned(document)
  return document.status == "sending" and lease.is_over(document.sending_since)
end

--- Where the message of an abandoned claim waits; nil also for what nobody can find it by.
local function staged_by(draft)
  local id, mailbox = draft.document.gmail_draft_id, draft.document.gmail_mailbox
  local thread_id = draft.document.gmail_thread_id
  if draft.document.status ~= "sending" then return nil end
  if type(id) ~= "string" or type(mailbox) ~= "string" then return nil end
  return { id = id, mailbox = mailbox, key = draft.id,
    thread_id = type(thread_id) == "string" and thread_id or nil }
end

local function lost(err)
  if err and err.code ~= "conflict" then return nil, err end
  return fail("in_progress", "somebody else is sending or changing this draft just now")
end

local function tell_claim(claiming, draft, outcome)
  metrics.count("paraph_claims_total", { outcome = outcome })
  step.ended("debug", "claimed", claiming, { draft_id = draft.id, outcome = outcome })
end

--- The claim demands the version that was read, so what was reviewed is what is sent. `outcome` is
--- what it is counted as.
---@return claim? claim
---@return paraph.err? err
local function take_claim(draft, members, outcome)
  local claiming = step.begin()
  members.attempt = (math.tointeger(draft.document.attempt) or 0) + 1
  local held, err = store.claim(config.draft_collection, draft.id, draft.version, members,
    { remove = drafts.waiting })
  if not held then
    if not err or err.code == "conflict" then tell_claim(claiming, draft, "lost") end
    return lost(err)
  end
  tell_claim(claiming, draft, outcome)
  local pixel_id = members.pixel_id or draft.document.pixel_id
  return { draft = draft, held = held, began = claiming, pixel_id = pixel_id,
    staged = staged_by(draft),
    reviewed_by = members.reviewed_by or draft.document.reviewed_by,
    reviewed_at = members.reviewed_at or draft.document.reviewed_at }
end

--- Write a step down.
local function note(claim, members)
  local ok, err = claim.held:note(members)
  if not ok then return lost(err) end
  return true
end

--- Why what was to leave at once waits for a review from now on; nil: it may still leave at once.
local function reason_to_hold(claim, err)
  if claim.draft.document.mode ~= "send" then return nil end
  if err.code == "no_send" then return "no_send" end
  return err.undecided and err.message or nil
end

--- What a draft keeps of its last attempt that failed, whatever becomes of it.
---@param err paraph.err
---@param reviewed_by? string
---@param reviewed_at? string
---@return table
function delivery.failure(err, reviewed_by, reviewed_at)
  return { error = err.message, at = time.now(), reviewed_by = reviewed_by,
    reviewed_at = reviewed_at }
end

--- The mail surely did not leave, or only a person can tell: the draft waits for review again.
---@return boolean ok  false: the claim stays, and whoever takes it over may send the mail yet
local function release(claim, err)
  local held = reason_to_hold(claim, err)
  local removed = { "sending_since", "pixel_id", "reply_headers", "reviewed_by", "reviewed_at",
    table.unpack(STEPS) }
  if held then removed[#removed + 1] = "mode" end
  local members = { error = err.message, held = held, waiting = held and "held" or "failed",
    failure = delivery.failure(err, claim.reviewed_by, claim.reviewed_at) }
  local with = webhooks.of_draft(held and "draft.held" or "send.failed", claim.draft.id,
    claim.draft.document, members, "pending")
  local ok, failure = claim.held:finish("pending", members, { remove = removed, with = with })
  if ok then
    webhooks.wake(with)
    err.held = held
    pixels.close(claim.pixel_id, claim.pixel_version)
  elseif failure and failure.code ~= "conflict" then
    log.error("draft left in sending: it is taken up again when its claim has run out",
      { draft_id = claim.draft.id, error = failure.message })
  end
  return ok ~= nil
end

--- Nobody knows yet whether the mail left: the claim stays, and whoever takes it over settles it.
local function leave_open(claim, err)
  log.error("outcome of a send unknown: it is settled when the claim has run out",
    { draft_id = claim.draft.id, error = err.message })
  note(claim, { error = err.message })
end

local function write_sent(claim, sent)
  local members = {
    message_id = sent.id,
    thread_id = sent.thread_id,
    pixel_id = claim.pixel_id,
    sent_at = time.now(),
  }
  local with = webhooks.of_draft("sent", claim.draft.id, claim.draft.document, members, "sent")
  local options = { remove = { "sending_since", "error", "gmail_mailbox", "gmail_thread_id",
    "withdrawing", "unsettled" }, with = with }
  local ok, err
  if sent.presumed then
    ok, err = claim.held:finish("sent", members, options)
  else
    members.status = "sent"
    ok, err = store.update(config.draft_collection, claim.draft.id, members, options)
  end
  if ok then webhooks.wake(with) end
  return ok, err
end

--- The mail is out, so this is tried hard, and whoever holds the claim by now: the mailbox let it
--- out only once. But what is only gone was sent only if the claim is still held: whoever took it
--- over may have deleted it. If it fails for good, taking over the claim will find the mail sent.
local function mark_sent(claim, sent)
  local marking = step.begin()
  local ok, err
  for attempt = 1, MARK_ATTEMPTS do
    ok, err = write_sent(claim, sent)
    if ok or not err then
      step.ended("debug", "marked sent", marking,
        { draft_id = claim.draft.id, message_id = sent.id })
      return true
    end
    if err.code == "conflict" then return lost(err) end
    if attempt < MARK_ATTEMPTS then task.sleep(MARK_PAUSE_MS << (attempt - 1)) end
  end
  log.error("sent draft not marked: that is made good when its claim has run out",
    { draft_id = claim.draft.id, error = err.message })
  return true
end

-- --- the draft in the mailbox --------------------------------------------------------------------

local function unknown(err)
  return nil, drafts.merged(err, { unknown = true }, {})
end

--- Put the message into the mailbox. Where there was no answer it was surely not sent.
---@return paraph.mail.draft? staged  nil alone: the mailbox keeps no drafts for us
---@return paraph.err? err
local function create(claim, built)
  local staged, err, ok, failure
  for _ = 1, STAGE_ATTEMPTS do
    staged, err = mail.draft_create(claim.held, built)
    if not err or not err.unknown then return staged, err end
    ok, failure = strays.expect(claim.draft.id, built:sender())
    if not ok then return unknown(failure) end
  end
  return nil, drafts.merged(err, {}, { "unknown" })
end

local function whereabouts(staged)
  return {
    gmail_draft_id = staged.id,
    gmail_mailbox = staged.mailbox,
    gmail_thread_id = staged.thread_id,
  }
end

--- Write down where the message waits before anything may send it. Without drafts, claim.staged
--- stays nil.
local function stage(claim, built)
  local staging = step.begin()
  local staged, err = create(claim, built)
  if err then return nil, err end
  if not staged then return true end
  step.ended("debug", "draft made in the mailbox", staging,
    { draft_id = claim.draft.id, gmail_draft_id = staged.id })
  local ok
  ok, err = note(claim, whereabouts(staged))
  if ok or err.code ~= "in_progress" then
    claim.staged = staged
  else
    -- Unless it is written down all the same, and the answer to that was lost.
    local draft = drafts.load(claim.draft.id)
    if draft and draft.document.gmail_draft_id == staged.id then return ok, err end
    if not mail.draft_delete(staged) then strays.expect(claim.draft.id, built:sender()) end
  end
  return ok, err
end

--- What is gone was sent, unless somebody took it back.
local function gone(sent)
  return { id = sent.id, thread_id = sent.thread_id, presumed = not sent.sent }
end

--- Send what is staged. The mailbox sends it only once, so where there was no answer the draft
--- tells: gone is sent, there is not sent, and sending it again is safe. Nothing else is, from then
--- on: the attempt without an answer may still be under way.
local function send_staged(claim)
  local sending = step.begin()
  local sent, err, there
  for attempt = 1, SEND_ATTEMPTS do
    sent, err = mail.draft_send(claim.held, claim.staged)
    if sent then
      step.ended("debug", "mail given to the mailbox", sending,
        { draft_id = claim.draft.id, message_id = sent.id })
      return sent
    end
    local refused = not err.unknown and err.code ~= "not_found"
    if refused and attempt == 1 then return nil, err end
    there, sent = mail.draft_exists(claim.staged)
    if there == false then return gone(sent) end
  end
  if err.code == "not_found" then
    err = select(2,
      fail("gmail_error", "the mailbox contradicts itself: it has this draft, and finds none"))
  end
  return unknown(err)
end

local function nobody_knows()
  local _, err = fail("gmail_error",
    "nobody knows whether this draft was sent: look into the mailbox before sending it again")
  err.undecided = true
  return nil, err
end

--- The message was refused: take it back. Written down first, since from then on what is gone may
--- also have been deleted. Deleting is as atomic as sending: what could be deleted was not sent,
--- and a slower holder cannot send it any more.
---@return delivered? sent   it had left all the same
---@return paraph.err? err   what it was refused for; err.unknown: it may be there, or sent
local function withdraw(claim, err)
  local ok, failure = note(claim,
    drafts.merged(whereabouts(claim.staged), { withdrawing = true, error = err.message }, {}))
  if not ok then return unknown(failure) end
  local deleted, there, sent
  deleted, failure = mail.draft_delete(claim.staged)
  if deleted then return nil, err end
  if deleted == nil then return unknown(failure) end
  there, sent = mail.draft_exists(claim.staged)
  if there ~= false then return unknown(err) end
  if sent.sent == false then return nil, err end
  -- Nobody else takes anything back without taking the claim over, and writing that down.
  if sent.sent or not claim.draft.document.withdrawing then return gone(sent) end
  return nobody_knows()
end

--- The mailbox keeps no drafts for us: a send that nothing can settle.
local function send_unsettled(claim, built)
  local ok, err = note(claim, { unsettled = true })
  if not ok then return nil, err end
  return mail.send(built)
end

-- --- the sequence --------------------------------------------------------------------------------

--- The message of a draft, with its pixel.
---@return paraph.message?
---@return string|paraph.err|nil pixel_id_or_err
local function build(draft)
  local contents, err = drafts.contents(draft)
  if not contents then return nil, err end
  return message.build(draft.id, draft.document, contents)
end

local function open_pixel(claim)
  local err
  claim.pixel_version, err = pixels.open(claim.pixel_id, claim.draft.document, claim.draft.id)
  return claim.pixel_version ~= nil, err
end

--- From the message to the mailbox.
local function hand_over(claim, built)
  local ok, err = stage(claim, built)
  if not ok then return nil, err end
  if not claim.staged then return send_unsettled(claim, built) end
  return send_staged(claim)
end

--- The same, with its pixel.
local function let_out(claim, built)
  local ok, err = open_pixel(claim)
  if not ok then return nil, err end
  return hand_over(claim, built)
end

--- From the step that an earlier holder has written down. His pixel becomes ours, to be taken away
--- if nothing leaves.
local function continue(claim)
  local document = claim.draft.document
  if document.unsettled or (document.gmail_draft_id and not claim.staged) then
    return nobody_knows()
  end
  local built, ok, err
  ok, err = open_pixel(claim)
  if not ok then return unknown(err) end
  if document.withdrawing then
    return fail("gmail_error", tostring(document.error or "the message was refused"))
  end
  if claim.staged then return send_staged(claim) end
  built, err = build(claim.draft)
  if not built then return nil, err end
  ok, err = strays.remove(claim.draft.id, built:sender(), claim.held)
  if not ok then return unknown(select(2, lost(err))) end
  if document.reviewed_etag and document.reviewed_etag ~= built:etag() then
    return fail("changed_since_review", "the message is no longer the one that was approved")
  end
  return hand_over(claim, built)
end

--- The end of a claim, by what has come of it.
local function settle(claim, sent, err)
  if not sent and claim.staged and not err.unknown then sent, err = withdraw(claim, err) end
  if sent then
    local ok, failure = mark_sent(claim, sent)
    if not ok then return unknown(failure) end
    correspondents.remember(claim.draft.document)
    return { id = sent.id, thread_id = sent.thread_id, pixel_id = claim.pixel_id }
  end
  if err.unknown then
    leave_open(claim, err)
  elseif not release(claim, err) then
    return unknown(err)
  end
  return nil, err
end

local function conclude(claim, sent, err)
  return sends.ended(
    { document = claim.draft.document, draft_id = claim.draft.id, began = claim.began },
    settle(claim, sent, err))
end

--- Send a draft whose claim has outlived its holder.
local function take_over(draft)
  local claim, err = take_claim(draft, {}, "taken_over")
  if not claim then return nil, err end
  return conclude(claim, continue(claim))
end

--- Send a draft, once.
---@async
---@param draft draft
---@param etag? string            of the message that was reviewed
---@param reviewer? paraph.caller nil: it is to leave without a review
---@param operation_id? string    marks the draft as sent by this operation, whoever finishes it
---@return delivered?
---@return paraph.err? err        err.unknown: it may have been sent, or may be yet; err.held: it
---                                was to leave at once, and waits for a review now, for this reason
function delivery.send_draft(draft, etag, reviewer, operation_id)
  local document = draft.document
  local function changed()
    return fail("changed_since_review", "the message is no longer the one that was reviewed")
  end
  if is_abandoned(document) then
    if etag and document.reviewed_etag and etag ~= document.reviewed_etag then return changed() end
    return take_over(draft)
  end
  local err = drafts.refusal(draft)
  if err then return nil, err end

  document.reply_headers, err = message.reply_headers(document)
  if err then return nil, err end
  local built, pixel_id = build(draft)
  if not built then return nil, pixel_id end
  if etag and etag ~= built:etag() then return changed() end
  local claim
  if reviewer then
    local decision
    decision, err = decisions.on_approval(draft, built:etag(), reviewer)
    if not decision then return nil, err end
  end

  local threaded = next(document.reply_headers) ~= nil
  claim, err = take_claim(draft, {
    pixel_id = pixel_id,
    reply_headers = threaded and document.reply_headers or nil, -- threads go on
    reviewed_by = reviewer and reviewer.name,
    reviewed_at = reviewer and time.now(),
    reviewed_etag = reviewer and built:etag(),
    operation_id = operation_id,
  }, "won")
  if not claim then return nil, err end
  return conclude(claim, let_out(claim, built))
end

--- Send a message at once, and once: it is a draft that is being sent from its first moment, so
--- that whoever finds it after a crash goes on with it.
---@async
---@param id string
---@param document paraph.document  with the reply_headers that were built
---@param contents? paraph.blob[]
---@param built paraph.message
---@param pixel_id? string
---@param caller paraph.caller
---@return delivered?
---@return paraph.err? err          as of send_draft
function delivery.send_once(id, document, contents, built, pixel_id, caller)
  document.mode, document.status = "send", "sending"
  document.sending_since, document.pixel_id = time.now(), pixel_id
  local version, err = drafts.create(id, document, contents, caller)
  if not version then return nil, err end
  local claim
  claim, err = take_claim({ id = id, version = version, document = document }, {}, "won")
  if not claim then return nil, err end
  return conclude(claim, let_out(claim, built))
end

-- --- the sweep -----------------------------------------------------------------------------------

local function finish_abandoned(row)
  if not is_abandoned(row.document) then return end
  local draft = drafts.load(row.id)
  if not draft or not is_abandoned(draft.document) then return end
  local sent, err = take_over(draft)
  log.info(sent and "abandoned send finished" or "abandoned send not finished",
    { draft_id = draft.id, message_id = sent and sent.id, error = err and err.message })
  log.mail(nil)
end

--- Finish, or give back to review, what was being sent when its sender came to his end: crashed,
--- cut off, or without an answer; and remove what such ends have left in mailboxes.
---@async
function delivery.sweep()
  sweep(config.draft_collection, "sending", finish_abandoned)
  strays.sweep()
end

return delivery
