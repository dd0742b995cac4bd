--- POST /: a message becomes a draft, or leaves.

local approvals = require "lib.approvals"
local body = require "lib.body"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local decisions = require "lib.decisions"
local delivery = require "lib.delivery"
local direct = require "lib.direct"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local idempotency = require "lib.idempotency"
local json = require "paraph.json"
local log = require "paraph.log"
local message = require "lib.message"
local quota = require "lib.quota"
local schema = require "lib.schema"
local sends = require "lib.sends"

local messages = {}

local function may_not_send()
  return fail("forbidden", "you may draft messages, but not send them")
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

local function keep(id, document, contents, caller)
  document.reply_headers = nil -- looked up again when the draft is claimed
  local ok, err = drafts.create(id, document, contents, caller)
  if not ok then return nil, err end
  return draft_reply(id, document.held)
end

--- Has the message wait for a review, for a reason.
---@alias hold fun(decision: decision, held: string): paraph.reply?, paraph.err?

---@return hold
local function hold_new(id, document, contents, caller)
  return function(decision, held)
    document.decision, document.held, document.waiting = decision, held, "held"
    return keep(id, document, contents, caller)
  end
end

--- The same for what an earlier attempt has stored, unless a reviewer has let it out meanwhile.
---@return hold
local function hold_stored(id)
  return function(decision, held)
    local draft, err = drafts.change(id, function(draft)
      local refusal = drafts.refusal(draft)
      if refusal then return nil, refusal end
      if approvals.is_approved(draft.document) then return {} end
      return { members = { decision = decision, held = held, waiting = "held" },
        removed = { "mode" }, event = "draft.held" }
    end)
    if not draft then return nil, err end
    return draft_reply(id, draft.document.held)
  end
end

--- A hook has failed: the message is not lost, and nothing leaves.
local function hold_failed(id, mode, hold, err)
  if mode == "send" then sends.decided("direct", "hold") end
  local kept, why = hold(decisions.failed(err), "policy_error")
  if not kept then return nil, why end
  return fail("policy_error", "a policy script failed (the log says where, under this request's "
    .. "id); the message is kept as a draft", nil, { draft_id = id, held = "policy_error" })
end

--- Send what the policies are not against, and count it.
---@param hold hold
---@param let_out fun(decision: decision): delivered?, paraph.err?
local function decide(id, document, caller, hold, let_out)
  local decision, counters = decisions.on_send(document, caller)
  if not decision then return nil, counters end
  if decision.verdict == "refuse" then
    return fail("refused_by_policy",
      decision.reason or "the review policy refuses this message")
  end
  if decision.verdict == "hold" then return hold(decision, decision.reason or decision.rule) end
  local sent, err = let_out(decision)
  if not sent and not err.unknown then quota.give_back(counters) end
  return sent_reply(id, sent, err)
end

--- A message that may be sent by whoever takes it over answers what it answers now.
local function fix_reply_headers(document)
  local headers, err = message.reply_headers(document, true)
  if not headers then return nil, err end
  document.reply_headers = next(headers) and headers or nil
  return true
end

--- Try again what surely has not left: the rules and the limits of this moment decide.
local function send_again(draft, caller)
  local hold = hold_stored(draft.id)
  local reply, err = decide(draft.id, draft.document, caller, hold, function()
    return delivery.send_draft(draft)
  end)
  if reply or err.code ~= "policy_error" then return reply, err end
  return hold_failed(draft.id, "send", hold, err)
end

--- Go on with what an earlier attempt has stored; nil alone: it has stored nothing. What became a
--- draft, leaves by a review, and so does what a reviewer has approved.
local function resume(id, caller)
  local draft, err = drafts.load(id)
  if not draft then
    if err.code == "draft_not_found" then return nil end
    return nil, err
  end
  local document = draft.document
  if document.mode ~= "send" or approvals.is_approved(document) then
    return draft_reply(id, document.held)
  end
  if not caller.roles.send then return may_not_send() end
  if document.status == "sent" then
    return sent_reply(id, { id = document.message_id, thread_id = document.thread_id,
      pixel_id = document.pixel_id })
  end
  if document.status == "pending" then return send_again(draft, caller) end
  return sent_reply(id, delivery.send_draft(draft)) -- counted already, before it was claimed
end

--- Let a message out that may leave.
local function let_out(id, document, contents, caller, built, pixel_id, keyed)
  if not keyed then return direct.send(built, document, pixel_id) end
  return delivery.send_once(id, document, contents, built, pixel_id, caller)
end

local function build(id, document, contents, keyed)
  local ok, err = true, nil
  if keyed then ok, err = fix_reply_headers(document) end
  if not ok then return nil, err end
  return message.build(id, document, contents or {}, true)
end

--- Send, unless the policies are against it. `keyed`: it may be asked for again.
local function send(id, document, contents, caller, keyed)
  local built, pixel_id = build(id, document, contents, keyed)
  if not built then return nil, pixel_id end
  local hold = hold_new(id, document, contents, caller)
  return decide(id, document, caller, hold, function(decision)
    document.decision = decision
    return let_out(id, document, contents, caller, built, pixel_id, keyed)
  end)
end

local function draft(id, document, contents, caller)
  local ok, err = message.check(id, document, contents or {}, true)
  if not ok then return nil, err end
  return keep(id, document, contents, caller)
end

--- What a request asks for, checked.
---@return string? mode
---@return paraph.document|paraph.err document_or_err
---@return paraph.blob[]? contents
local function read(request, caller)
  local mode = request.mode or config.send_mode
  if mode == "send" and not caller.roles.send then return may_not_send() end
  local document, contents = message.members(request)
  if not document then return nil, contents end
  return mode, document, contents
end

local function carry_out(mode, document, contents, caller, operation)
  document.created_by = caller.name -- the policies see it from the start
  document.trace_id = log.trace_id()
  log.mail(document.trace_id)
  local id = operation and operation.id or crypto.uuid4()
  local act = mode == "send" and send or draft
  local reply, err = act(id, document, contents, caller, operation ~= nil)
  if reply or err.code ~= "policy_error" then return reply, err end
  return hold_failed(id, mode, hold_new(id, document, contents, caller), err)
end

--- Without the lists that have stayed empty: nobody can tell `{}` from an object.
local function stated(request)
  local members = {}
  for name, value in pairs(request) do
    if type(value) ~= "table" or next(value) ~= nil then members[name] = value end
  end
  return members
end

--- Carry a request out, from its start: what POST / does, and what endpoints of your own may do.
---@async
---@param request table           as message.post describes it
---@param caller paraph.caller
---@param operation? operation    under which it may be asked for again
---@return paraph.reply? reply
---@return paraph.err? err
function messages.submit(request, caller, operation)
  if type(request) == "table" then request = stated(request) end
  local checked, err = schema.check(message.post, request)
  if not checked then return nil, err end
  local mode, document, contents = read(request, caller)
  if not mode then return nil, document end
  return carry_out(mode, document, contents, caller, operation)
end

--- The same for the body of a request. Its megabytes are let go of as soon as they have been read,
--- each time in favour of the next form they take: text, base64, bytes, message.
local function begin(req, operation)
  local request, err = body.read(req, message.post)
  if not request then return nil, err end
  req.body:close()
  local mode, document, contents = read(request, req.caller)
  if not mode then return nil, document end
  for _, attachment in ipairs(request.attachments or {}) do attachment.content:close() end
  return carry_out(mode, document, contents, req.caller, operation)
end

local function post(req, operation)
  local reply, err
  if operation and operation.resumed then reply, err = resume(operation.id, req.caller) end
  if reply or err then return reply, err end
  return begin(req, operation)
end

---@param req paraph.request      its body is closed afterwards
---@return paraph.reply? reply
---@return paraph.err? err
function messages.post(req)
  return idempotency.once(req, post)
end

return messages
