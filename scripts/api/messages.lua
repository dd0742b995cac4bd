--- POST /: a message becomes a draft, or leaves.

local body = require "lib.body"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local idempotency = require "lib.idempotency"
local json = require "paraph.json"
local message = require "lib.message"
local review = require "policy.review"

local messages = {}

--- What becomes of a send: the policy decides, and over it the brake.
local function decide(document, built, caller)
  local decision, reason = review.decide {
    draft = document,
    sender = built:sender(),
    recipients = built:recipients(),
    caller = caller,
  }
  if decision ~= "send" and decision ~= "hold" and decision ~= "refuse" then
    error(("policy/review.lua: %q is no decision"):format(tostring(decision)))
  end
  if decision == "send" and config.no_send then return "hold", "no_send" end
  return decision, reason
end

local function draft_reply(id, held)
  return { json = { status = "ok", mode = "draft", draft_id = id, held = held } }
end

--- What became of a send.
local function sent_reply(id, sent, err)
  if not sent and err.held then return draft_reply(id, err.held) end
  if not sent then return nil, err end
  return {
    json = {
      status = "ok",
      mode = "send",
      id = sent.id or json.null,
      thread_id = sent.thread_id or json.null,
      pixel_id = sent.pixel_id or json.null,
    },
  }
end

local function keep(id, document, contents, caller, held)
  document.held = held
  document.reply_headers = nil -- looked up again when the draft is claimed
  local ok, err = drafts.create(id, document, contents, caller)
  if not ok then return nil, err end
  return draft_reply(id, held)
end

--- A message that may be sent by whoever takes it over answers what it answers now.
local function fix_reply_headers(document)
  local headers, err = message.reply_headers(document)
  if not headers then return nil, err end
  document.reply_headers = next(headers) and headers or nil
  return true
end

--- Go on with what an earlier attempt has stored; nil alone: it has stored nothing. What became a
--- draft, leaves by a review.
local function resume(id)
  local draft, err = drafts.load(id)
  if not draft then
    if err.code == "draft_not_found" then return nil end
    return nil, err
  end
  local document = draft.document
  if document.mode ~= "send" then return draft_reply(id, document.held) end
  if document.status == "sent" then
    return sent_reply(id, { id = document.message_id, thread_id = document.thread_id,
      pixel_id = document.pixel_id })
  end
  return sent_reply(id, delivery.send_draft(draft))
end

--- Carry a request out from its start.
local function begin(req, operation)
  local request, err = body.read(req, message.post)
  if not request then return nil, err end
  local mode = request.mode or config.send_mode
  if mode == "send" and not req.caller.roles.send then
    return fail("forbidden", "you may draft messages, but not send them")
  end

  local document, contents = message.members(request)
  if not document then return nil, contents end
  local once = operation and mode == "send"
  if once then
    local ok
    ok, err = fix_reply_headers(document)
    if not ok then return nil, err end
  end
  local id = operation and operation.id or crypto.uuid4()
  local pixel_id = message.pixel_id(id, document)
  local built
  built, err = message.build(id, document, contents or {}, pixel_id)
  if not built then return nil, err end
  if mode == "draft" then return keep(id, document, contents, req.caller) end

  local decision, reason = decide(document, built, req.caller)
  if decision == "refuse" then
    return fail("refused_by_policy", reason or "the review policy refuses this message")
  end
  if decision == "hold" then
    return keep(id, document, contents, req.caller, reason or "policy")
  end
  if once then
    return sent_reply(id, delivery.send_once(id, document, contents, built, pixel_id, req.caller))
  end
  return sent_reply(id, delivery.send_now(built, document, pixel_id))
end

local function post(req, operation)
  local reply, err
  if operation and operation.resumed then reply, err = resume(operation.id) end
  if reply or err then return reply, err end
  return begin(req, operation)
end

---@param req paraph.request
---@return paraph.reply? reply
---@return paraph.err? err
function messages.post(req)
  return idempotency.once(req, post)
end

return messages
