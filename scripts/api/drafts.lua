--- Drafts: list, read, edit, try out, reject, send.

local approvals = require "lib.approvals"
local body = require "lib.body"
local conditional = require "lib.conditional"
local copies = require "lib.copies"
local drafts = require "lib.drafts"
local edits = require "lib.edits"
local idempotency = require "lib.idempotency"
local json = require "paraph.json"
local message = require "lib.message"
local schema = require "lib.schema"

local api = {}

--- The query of GET /drafts.
api.query = {
  type = "object",
  properties = {
    status = { type = "string", enum = drafts.statuses },
    limit = { type = "integer", minimum = 1, maximum = 200 },
    page_token = { type = "string", minLength = 1, maxLength = 4096 },
  },
}

--- The body of POST /drafts/{id}/test.
api.copy = {
  type = "object", required = { "to" },
  properties = { to = message.patch.properties.to },
}

--- The body of POST /send-draft.
api.approval = {
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
  local ok, err = schema.check(api.query, query)
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

--- PATCH /drafts/{id}
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.patch(req)
  local patch, err = body.decode(req)
  if err then return nil, err end
  local edit
  edit, err = edits.read(patch)
  if not edit then return nil, err end
  return draft_reply(edits.apply(req.params.id, edit, req.caller))
end

--- POST /drafts/{id}/reject
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.reject(req)
  local request = {}
  if req.body and #req.body > 0 then
    local err
    request, err = body.read(req, drafts.rejection)
    if not request then return nil, err end
  end
  return draft_reply(drafts.reject(req.params.id, request.reason, req.caller))
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

  return conditional(req, '"' .. built:etag() .. '"', function()
    return { type = "message/rfc822", body = built:bytes() }
  end)
end

--- POST /drafts/{id}/test. Whatever the draft's status: the copy touches neither it nor its
--- recipients.
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function api.test(req)
  local request, err = body.read(req, api.copy)
  if not request then return nil, err end
  local sent
  sent, err = copies.send(req.params.id, request.to)
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
  local request, err = body.read(req, api.approval)
  if not request then return nil, err end
  local draft, sent
  draft, err = drafts.load(request.draft_id)
  if not draft then return nil, err end
  local document = draft.document
  if operation and document.status == "sent" and document.operation_id == operation.id then
    return sent_reply(document.message_id, document.thread_id, document.pixel_id)
  end
  sent, err = approvals.send(draft, unquoted(request.etag), req.caller, operation and operation.id)
  if not sent then return nil, err end
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
