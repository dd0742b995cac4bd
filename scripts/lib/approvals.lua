--- Approving a draft: it leaves after a while in which that can be taken back.
---
--- What was approved is written down in the draft, which stays pending until it is claimed: so it
--- survives a restart, and whoever changes, rejects or sends the draft meanwhile comes first. The
--- job "leave" lets out what is due; it is woken for each approval, and looks every minute for what
--- others have left behind.

local batches = require "lib.batches"
local config = require "paraph.config"
local decisions = require "lib.decisions"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local jobs = require "paraph.jobs"
local log = require "paraph.log"
local message = require "lib.message"
local quota = require "lib.quota"
local settings = require "lib.settings"
local store = require "paraph.store"
local time = require "paraph.time"

local approvals = {}

local AT_ONCE = 16 -- sends of one round; the mailbox has a line of its own

-- --- sending what was reviewed -------------------------------------------------------------------

--- Send a draft that a reviewer lets out, and count it.
---@async
---@param draft draft
---@param etag? string            of the message that he saw
---@param reviewer paraph.caller
---@param operation_id? string    as of delivery.send_draft
---@return delivered?
---@return paraph.err? err        as of delivery.send_draft; `no_send`
function approvals.send(draft, etag, reviewer, operation_id)
  if config.no_send then
    return fail("no_send", "sending is switched off (NO_SEND); the draft is as it was")
  end
  local counters = decisions.count(draft.document)
  local sent, err = delivery.send_draft(draft, etag, reviewer, operation_id)
  if not sent and not err.unknown then quota.give_back(counters) end
  return sent, err
end

-- --- approving -----------------------------------------------------------------------------------

--- Is it approved, and on its way out?
---@param document paraph.document
---@return boolean
function approvals.is_approved(document)
  return document.status == "pending" and document.waiting == "approved"
end

local function instant(text)
  return type(text) == "string" and time.parse(text) or 0
end

--- Seconds until it leaves; 0 if it is due. A time from which the clock was set back is none to
--- wait for.
---@param document paraph.document
---@return number
function approvals.seconds_left(document)
  local leaves = instant(document.leaves_at)
  local left, granted = leaves - time.parse(time.now()), leaves - instant(document.approved_at)
  return left <= 2 * granted and math.max(0, left) or 0
end

--- The change of a draft that takes its approval back, if there is one.
---@param document paraph.document
---@return draft_change
function approvals.taken_back(document)
  if not approvals.is_approved(document) then return { members = {}, removed = {} } end
  local before = document.waiting_before
  if not document.approved_as then -- earlier versions did not write down why it waited
    before = document.held and "held" or document.error and "failed" or nil
  end
  return { members = { waiting = before }, removed = before and drafts.approval or drafts.waiting }
end

--- The message of a draft, if it is still what the reviewer saw.
local function check_seen(draft, seen)
  local function changed()
    return fail("changed_since_review", "the message is no longer the one that was reviewed")
  end
  if seen.version and seen.version ~= draft.version then return changed() end
  local contents, err = drafts.contents(draft)
  if not contents then return nil, err end
  local built
  built, err = message.build(draft.id, draft.document, contents)
  if not built then return nil, err end
  if seen.etag and seen.etag ~= built:etag() then return changed() end
  return built
end

--- Look again in so many seconds; that is done every minute in any case (jobs.lua).
local function wake(seconds)
  if seconds < 60 then jobs.wake("leave", math.ceil(seconds * 1000)) end
end

local function write_down(draft, etag, reviewer)
  local seconds, now = settings.undo_seconds, time.now()
  local members = {
    waiting = "approved",
    waiting_before = draft.document.waiting,
    approved_by = reviewer.name,
    approved_as = { method = reviewer.method, roles = reviewer.roles },
    approved_at = now,
    approved_etag = etag,
    leaves_at = time.format(time.parse(now) + seconds),
  }
  local version, err = store.update(config.draft_collection, draft.id, members,
    { version = draft.version })
  if not version then
    if err and err.code ~= "conflict" then return nil, err end
    return fail("changed_since_review", "somebody else has changed this draft just now")
  end
  log.info("draft approved", { draft_id = draft.id, leaves_at = members.leaves_at })
  wake(seconds)
  return { id = draft.id, version = version,
    document = drafts.merged(draft.document, members, {}) }
end

--- Approve a draft. What was approved already, stays so.
---@async
---@param id string
---@param seen { etag?: string, version?: string }  of the message, or of the draft, as he saw it
---@param reviewer paraph.caller
---@return draft? draft     sent, or on its way
---@return paraph.err? err  `changed_since_review`; `forbidden` and `refused_by_policy`: not by him
function approvals.approve(id, seen, reviewer)
  local draft, err = drafts.load(id)
  if not draft then return nil, err end
  err = drafts.refusal(draft)
  if err then return nil, err end
  if approvals.is_approved(draft.document) then return draft end
  if config.no_send then
    return fail("no_send", "sending is switched off (NO_SEND); the draft is as it was")
  end
  local built, ok
  built, err = check_seen(draft, seen)
  if not built then return nil, err end
  if settings.undo_seconds <= 0 then
    ok, err = approvals.send(draft, built:etag(), reviewer)
    if not ok then return nil, err end
    return drafts.load(id)
  end
  ok, err = decisions.on_approval(draft, built:etag(), reviewer)
  if not ok then return nil, err end
  return write_down(draft, built:etag(), reviewer)
end

--- Take an approval back. A draft that was not approved stays as it is.
---@async
---@param id string
---@return draft? draft
---@return paraph.err? err  `already_sent` or `in_progress`: it was too late
function approvals.undo(id)
  return drafts.change(id, function(draft)
    local refusal = drafts.refusal(draft)
    if refusal then return nil, refusal end
    return approvals.taken_back(draft.document)
  end)
end

-- --- leaving -------------------------------------------------------------------------------------

--- Is it still by this approval that it is to leave? Only an approval that was counted has written
--- into the draft itself; all other writes are somebody else's, who knows what comes of them.
local function is_same_approval(draft, now, err)
  local before, document = draft.document, now.document
  return approvals.is_approved(document) and document.approved_at == before.approved_at
    and document.approved_etag == before.approved_etag
    and (now.version == draft.version or err.counted)
end

--- It has not left: it waits for a person again, with the reason. While somebody else is at it, it
--- waits for the next look.
local function give_back(draft, err)
  if err.code == "in_progress" then return end
  drafts.change(draft.id, function(now)
    if not is_same_approval(draft, now, err) then return {} end
    local document = now.document
    return {
      members = { waiting = "failed", error = err.message,
        failure = delivery.failure(err, document.approved_by, document.approved_at) },
      removed = drafts.approval,
      event = "send.failed",
    }
  end)
  log.warning("approved draft not sent", { draft_id = draft.id, error = err.message })
end

--- Who has approved it. Earlier versions wrote down his name alone.
local function reviewer_of(document)
  local as = type(document.approved_as) == "table" and document.approved_as or {}
  return { name = tostring(document.approved_by), method = as.method or "none",
    roles = as.roles or { review = true } }
end

local function let_out(id)
  local draft = drafts.load(id)
  if not draft or not approvals.is_approved(draft.document) then return end
  local document = draft.document
  if approvals.seconds_left(document) > 0 then return end
  local etag = type(document.approved_etag) == "string" and document.approved_etag or ""
  local sent, err = approvals.send(draft, etag, reviewer_of(document))
  if not sent then give_back(draft, err) end
end

--- What is due, and in how many seconds the next one is.
local function look()
  local due, soonest, token = {}, math.huge, nil
  repeat
    local found, more = drafts.list { waiting = "approved", limit = 200, page_token = token }
    if not found then return nil, more end
    for _, draft in ipairs(found) do
      local left = approvals.seconds_left(draft.document)
      if left > 0 then soonest = math.min(soonest, left) else due[#due + 1] = draft.id end
    end
    token = more
  until not token
  return due, soonest
end

--- Let out what is due.
---@async
function approvals.leave()
  local due, soonest = look()
  if not due then
    log.warning("approved drafts not looked for", { error = soonest.message })
    return
  end
  local ok, err = batches(due, AT_ONCE, let_out)
  if not ok then log.warning("approved drafts left behind", { error = err.message }) end
  wake(soonest)
end

return approvals
