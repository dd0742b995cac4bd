--- Drafts: list, read, edit, try out, reject, send.

local body = require "lib.body"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local decisions = require "lib.decisions"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local idempotency = require "lib.idempotency"
local json = require "paraph.json"
local mail = require "paraph.mail"
local message = require "lib.message"
local quota = require "lib.quota"
local schema = require "lib.schema"
local time = require "paraph.time"

local api = {}

local list_query = {
  type = "object",
  properties = {
    status = { type = "string", enum = drafts.statuses },
    limit = { type = "integer", minimum = 1, maximum = 200 },
    page_token = { type = "string", minLength = 1, maxLength = 4096 },
  },
}

local rejection = {
  type = "object",
  properties = { reason = { type = "string", format = "text", maxLength = 2000 } },
}

local test_request = {
  type = "object", required = { "to" },
  properties = { to = message.patch.properties.to },
}

local send_request = {
  type = "object", required = { "draft_id" },
  properties = {
    draft_id = { type = "string", format = "uuid" },
    etag = { type = "string", format = "line", minLength = 1, maxLength = 128 },
  },
}

local function draft_reply(draft, err)
  if not draft then return nil, err end
  return { json = { status = "ok", draft = drafts.shown(draft) } }
end

--- GET /drafts
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.list(req)
  local query = drafts.merged(req.query, {}, {})
  if query.limit and query.limit:find("^%d+$") then query.limit = tonumber(query.limit) end
  local ok, err = schema.check(list_query, query)
  if not ok then return nil, err end
  local found, more = drafts.list(query)
  if not found then return nil, more end
  for i, draft in ipairs(found) do found[i] = drafts.shown(draft) end
  return { json = { status = "ok", drafts = found, next_page_token = more or json.null } }
end

--- GET /drafts/{id}
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.get(req)
  return draft_reply(drafts.load(req.params.id))
end

--- The members that a patch gives as null, under their stored names.
local function nulls_of(patch)
  local nulls = {}
  for name, value in pairs(type(patch) == "table" and patch or {}) do
    if value == json.null then nulls[#nulls + 1] = name == "message" and "body" or name end
  end
  return nulls
end

--- A patch as a change of the stored document: one form of the body drives out the other, and who
--- takes the attachments away takes their contents away.
local function change_of(patch, removed)
  local members, contents = message.members(patch)
  if not members then return nil, contents end
  if members.body then table.move({ "template", "vars" }, 1, 2, #removed + 1, removed) end
  if members.template then removed[#removed + 1] = "body" end
  for _, name in ipairs(removed) do
    if name == "attachments" then contents = {} end
  end
  -- What was to leave at once is, edited, no longer what its sender asked for.
  if next(members) or next(removed) then removed[#removed + 1] = "mode" end
  return { members = members, removed = removed, contents = contents }
end

--- The change, and by whom.
local function signed(change, document, caller)
  if not next(change.members) and not next(change.removed) then return change end
  local names = { caller.name }
  for _, name in ipairs(type(document.edited_by) == "table" and document.edited_by or {}) do
    if name ~= caller.name then table.insert(names, #names, name) end
  end
  return {
    members = drafts.merged(change.members, { edited_by = names }, {}),
    removed = change.removed,
    contents = change.contents,
  }
end

--- PATCH /drafts/{id}. What comes of it is built, so that a draft can always be sent.
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.patch(req)
  local patch, err = body.decode(req)
  if err then return nil, err end
  local removed = nulls_of(patch)
  patch, err = schema.check(message.patch, patch)
  if not patch then return nil, err end
  local change
  change, err = change_of(patch, removed)
  if not change then return nil, err end

  return draft_reply(drafts.change(req.params.id, function(draft)
    local refusal = drafts.refusal(draft)
    if refusal then return nil, refusal end
    local contents, failure = change.contents, nil
    if not contents then contents, failure = drafts.contents(draft) end
    if not contents then return nil, failure end
    local document = drafts.merged(draft.document, change.members, change.removed)
    local built
    built, failure = message.build(draft.id, document, contents)
    return built and signed(change, draft.document, req.caller), failure
  end))
end

--- POST /drafts/{id}/reject
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.reject(req)
  local request = {}
  if req.body and #req.body > 0 then
    local err
    request, err = body.read(req, rejection)
    if not request then return nil, err end
  end
  return draft_reply(drafts.change(req.params.id, function(draft)
    if draft.document.status == "rejected" then return {} end
    local refusal = drafts.refusal(draft)
    if refusal then return nil, refusal end
    return {
      members = {
        status = "rejected",
        reject_reason = request.reason,
        reviewed_at = time.now(),
        reviewed_by = req.caller.name,
      },
    }
  end))
end

--- GET /drafts/{id}/message: the message as it would be sent, or of a sent draft as it was.
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.message(req)
  local draft, contents = drafts.open(req.params.id)
  if not draft then return nil, contents end
  local built, err = message.build(draft.id, draft.document, contents)
  if not built then return nil, err end

  local etag = '"' .. built:etag() .. '"'
  local headers = { ETag = etag, ["Cache-Control"] = "no-cache" }
  local known = req.headers["if-none-match"]
  if known and (known == "*" or known:find(etag, 1, true)) then
    return { status = 304, headers = headers }
  end
  return { type = "message/rfc822", headers = headers, body = built:bytes() }
end

--- The document of a test copy: to nobody but the tester, marked, in no thread of the mailbox.
local function test_copy(document, to)
  local subject = document.subject
  if type(subject) == "string" then subject = "[TEST] " .. subject end
  return drafts.merged(document, { to = to, subject = subject, tracking = false },
    { "status", "cc", "bcc", "thread_id", "in_reply_to", "reply_headers", "sent_at" })
end

--- POST /drafts/{id}/test. Whatever the draft's status: the copy touches neither it nor its
--- recipients.
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.test(req)
  local request, err = body.read(req, test_request)
  if not request then return nil, err end
  local draft, contents = drafts.open(req.params.id)
  if not draft then return nil, contents end
  local built, sent
  built, err = message.build(crypto.uuid4(), test_copy(draft.document, request.to), contents)
  if not built then return nil, err end
  sent, err = mail.send(built)
  if not sent then return nil, err end
  return { json = { status = "ok", message_id = sent.id } }
end

--- An etag as it stands in the header has quotes, and is the same.
local function unquoted(etag)
  return etag and (etag:match('^"(.+)"$') or etag)
end

local function sent_reply(message_id, thread_id, pixel_id)
  return {
    json = {
      status = "ok",
      message_id = message_id or json.null,
      thread_id = thread_id or json.null,
      pixel_id = pixel_id or json.null,
    },
  }
end

local function send(req, operation)
  local request, err = body.read(req, send_request)
  if not request then return nil, err end
  local draft, sent
  draft, err = drafts.load(request.draft_id)
  if not draft then return nil, err end
  local document = draft.document
  if operation and document.status == "sent" and document.operation_id == operation.id then
    return sent_reply(document.message_id, document.thread_id, document.pixel_id)
  end
  if config.no_send then
    return fail("no_send", "sending is switched off (NO_SEND); the draft is as it was")
  end
  local counters = decisions.count(document)
  sent, err =
    delivery.send_draft(draft, unquoted(request.etag), req.caller, operation and operation.id)
  if not sent then
    if not err.unknown then quota.give_back(counters) end
    return nil, err
  end
  return sent_reply(sent.id, sent.thread_id, sent.pixel_id)
end

--- POST /send-draft
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.send(req)
  return idempotency.once(req, send)
end

return api
