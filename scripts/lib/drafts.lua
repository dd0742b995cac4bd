--- Drafts in the store.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local fail = require "lib.fail"
local json = require "paraph.json"
local log = require "paraph.log"
local metrics = require "paraph.metrics"
local schema = require "lib.schema"
local step = require "lib.step"
local store = require "paraph.store"
local time = require "paraph.time"
local webhooks = require "lib.webhooks"

local drafts = {}

---@class draft
---@field id string
---@field version string
---@field document paraph.document  as stored, without its null members

drafts.statuses = { "pending", "sending", "sent", "rejected" }

--- What is known of the approval of a draft that is about to leave.
drafts.approval = { "leaves_at", "approved_by", "approved_as", "approved_at", "approved_etag",
  "waiting_before" }

--- The same and why a pending draft waits: `waiting` is "held" (by a rule), "failed" (to leave) or
--- "approved". None of it outlives the waiting.
drafts.waiting = { "waiting", table.unpack(drafts.approval) }

-- What fits into a Firestore document with its indexes: bytes as JSON, and so many more for each
-- value, which costs there up to 32 bytes besides its text, and 2 of 40,000 entries in indexes.
local DOCUMENT_MAX, VALUE_BYTES = 900000, 45
local ATTEMPTS = 20 -- of a change that others get in the way of: so many at once all get in

local function not_found()
  return fail("draft_not_found", "there is no draft with this id")
end

local function without_nulls(document)
  for name, value in pairs(document) do
    if value == json.null then document[name] = nil end
  end
  return document
end

--- Is there room for a draft, and for what will become of it?
---@param document paraph.document
---@return true? fits
---@return paraph.err? err
function drafts.check_size(document)
  local bytes, values = json.measure(document)
  bytes = bytes + VALUE_BYTES * values
  if bytes <= DOCUMENT_MAX then return true end
  return fail("payload_too_large",
    ("a draft can hold %d bytes besides its attachments, where each value counts as %d more; this "
      .. "one has %d"):format(DOCUMENT_MAX, VALUE_BYTES, bytes))
end

--- What is told from then on is told about its mail.
---@async
---@param id string
---@return draft?
---@return paraph.err? err   `draft_not_found`, also for what is no UUID
function drafts.load(id)
  if not crypto.is_uuid(id) then return not_found() end
  id = id:lower()
  local document, version = store.get(config.draft_collection, id)
  if document then
    log.mail(document.trace_id)
    return { id = id, version = version, document = without_nulls(document) }
  end
  if version then return nil, version end
  return not_found()
end

--- What others are told of a new draft; nil: nothing, of one that is being sent.
local function told(document)
  if document.status ~= "pending" then return nil end
  return document.waiting == "held" and "draft.held" or "draft.created"
end

local function count(outcome)
  metrics.count("paraph_drafts_total", { outcome = outcome })
end

local function tell_created(id, document, keeping)
  local waits = document.status == "pending"
  if waits then count(document.held and "held" or "created") end
  step.ended(waits and "info" or "debug", "draft stored", keeping,
    { draft_id = id, status = document.status, held = document.held })
end

--- Keep a message as a draft.
---@async
---@param id string
---@param document paraph.document   gains created_at and created_by, and is pending unless it says
---                                  otherwise
---@param contents? paraph.blob[]    of its attachments
---@param caller paraph.caller
---@return string? version
---@return paraph.err? err           `in_progress`: there is one of this id
function drafts.create(id, document, contents, caller)
  local keeping = step.begin()
  document.status = document.status or "pending"
  document.created_at = time.now()
  document.created_by = caller.name
  local ok, err = drafts.check_size(document)
  if not ok then return nil, err end
  local version
  local with = webhooks.of_draft(told(document), id, document)
  version, err = store.create(config.draft_collection, id, document,
    { parts = contents, with = with })
  if err and err.code == "already_exists" then
    return fail("in_progress", "another attempt of this request is under way; ask again later")
  end
  if version then
    webhooks.wake(with)
    tell_created(id, document, keeping)
  end
  return version, err
end

--- Newest first.
---@async
---@param query paraph.store.query
---@return draft[]? found
---@return string|paraph.err|nil next_page_token_or_err
function drafts.list(query)
  local page, err = store.query(config.draft_collection, query)
  if not page then return nil, err end
  local found = setmetatable({}, json.array_mt)
  for i, row in ipairs(page.documents) do
    found[i] = { id = row.id, version = row.version, document = without_nulls(row.document) }
  end
  return found, page.next_page_token
end

--- The contents of a draft's attachments.
---@async
---@param draft draft
---@return paraph.blob[]? contents
---@return paraph.err? err
function drafts.contents(draft)
  local attachments = draft.document.attachments
  if type(attachments) ~= "table" or #attachments == 0 then return {} end
  local contents, err = store.parts(config.draft_collection, draft.id)
  if not contents then return nil, err or select(2, not_found()) end
  if #contents ~= #attachments then
    return fail("conflict", "the store does not hold what this draft says it has attached")
  end
  return contents
end

--- A draft with the contents of its attachments.
---@async
---@param id string
---@return draft?
---@return paraph.blob[]|paraph.err contents_or_err
function drafts.open(id)
  local draft, err = drafts.load(id)
  if not draft then return nil, err end
  local contents
  contents, err = drafts.contents(draft)
  if not contents then return nil, err end
  return draft, contents
end

--- Why a draft is not to be edited, rejected or sent; nil if it is pending.
---@param draft draft
---@return paraph.err?
function drafts.refusal(draft)
  local document = draft.document
  local code, sentence, details
  if document.status == "pending" then
    return nil
  elseif document.status == "sent" then
    code, sentence = "already_sent", "this draft has been sent"
    details = { message_id = document.message_id }
  elseif document.status == "rejected" then
    code, sentence = "rejected", "this draft has been rejected"
  elseif document.status == "sending" then
    code, sentence = "in_progress", "this draft is being sent just now"
  else
    code = "conflict"
    sentence = "this draft is in no status that the service knows; set it in the store"
  end
  return select(2, fail(code, sentence, nil, details))
end

--- A document with some members set and others taken away.
---@param document paraph.document
---@param members paraph.document
---@param removed string[]
---@return paraph.document
function drafts.merged(document, members, removed)
  local merged = {}
  for name, value in pairs(document) do merged[name] = value end
  for _, name in ipairs(removed) do merged[name] = nil end
  for name, value in pairs(members) do merged[name] = value end
  return merged
end

---@class draft_change
---@field members? paraph.document
---@field removed? string[]
---@field contents? paraph.blob[]   in place of all contents there are
---@field event? string             that others are told of (lib/webhooks.lua)

--- Change a draft: `decide` sees it as it is and says what to write; it is asked again when
--- somebody else wrote first. A change of nothing writes nothing.
---@async
---@param id string
---@param decide fun(draft: draft): draft_change?, paraph.err?
---@return draft?
---@return paraph.err? err
function drafts.change(id, decide)
  for _ = 1, ATTEMPTS do
    local draft, err = drafts.load(id)
    if not draft then return nil, err end
    local change, version
    change, err = decide(draft)
    if not change then return nil, err end
    local members, removed = change.members or {}, change.removed or {}
    if not next(members) and not next(removed) then return draft end

    local document = drafts.merged(draft.document, members, removed)
    local with = webhooks.of_draft(change.event, draft.id, document)
    version, err = store.update(config.draft_collection, draft.id, members,
      { version = draft.version, remove = removed, parts = change.contents, with = with })
    if version then webhooks.wake(with) end
    if version then return { id = draft.id, version = version, document = document } end
    if not err then return not_found() end
    if err.code ~= "conflict" then return nil, err end
  end
  return fail("conflict", "others are changing this draft just now; try again")
end

--- The body of POST /drafts/{id}/reject.
drafts.rejection = {
  type = "object",
  properties = { reason = { type = "string", format = "text", maxLength = 2000 } },
}

--- The reason that a form gives; nil alone: none.
---@param text? string
---@return string? reason
---@return paraph.err? err
function drafts.reason_of(text)
  if not text or text == "" then return nil end
  local ok, err = schema.check(drafts.rejection, { reason = text })
  return ok and text or nil, err
end

--- Turn a draft down. One that was rejected stays as it is.
---@async
---@param id string
---@param reason? string
---@param reviewer paraph.caller
---@return draft?
---@return paraph.err? err
function drafts.reject(id, reason, reviewer)
  local again
  local draft, err = drafts.change(id, function(draft)
    again = draft.document.status == "rejected"
    if again then return {} end
    local refusal = drafts.refusal(draft)
    if refusal then return nil, refusal end
    return {
      members = {
        status = "rejected",
        reject_reason = reason,
        reviewed_at = time.now(),
        reviewed_by = reviewer.name,
      },
      removed = drafts.waiting,
      event = "draft.rejected",
    }
  end)
  if draft and not again then
    count("rejected")
    log.info("draft rejected", { draft_id = draft.id })
  end
  return draft, err
end

--- A draft as answers give it.
---@param draft draft
---@return table
function drafts.shown(draft)
  return drafts.merged(draft.document, { draft_id = draft.id }, {})
end

return drafts
