--- POST /: a message becomes a draft, or leaves.

local body = require "lib.body"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
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

local function keep(id, document, contents, caller, held)
  document.held = held
  local ok, err = drafts.create(id, document, contents, caller)
  if not ok then return nil, err end
  return { json = { status = "ok", mode = "draft", draft_id = id, held = held } }
end

local function send(built, document, pixel_id)
  local sent, err = delivery.send_now(built, document, pixel_id)
  if not sent then return nil, err end
  return {
    json = {
      status = "ok",
      mode = "send",
      id = sent.id,
      thread_id = sent.thread_id,
      pixel_id = sent.pixel_id or json.null,
    },
  }
end

---@param req paraph.request
---@return paraph.reply? reply
---@return paraph.err? err
function messages.post(req)
  local request, err = body.read(req, message.post)
  if not request then return nil, err end
  local mode = request.mode or config.send_mode
  if mode == "send" and not req.caller.roles.send then
    return fail("forbidden", "you may draft messages, but not send them")
  end

  local document, contents = message.members(request)
  if not document then return nil, contents end
  local id = crypto.uuid4()
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
  return send(built, document, pixel_id)
end

return messages
