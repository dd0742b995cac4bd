--- paraph send: one message, through the policies.

local arguments = require "commands.arguments"
local decisions = require "lib.decisions"
local json = require "paraph.json"
local listing = require "lib.listing"
local log = require "paraph.log"
local message = require "lib.message"
local operator = require "lib.operator"
local rehearsal = require "paraph.rehearsal"
local submission = require "commands.submission"
local terminal = require "lib.terminal"

local send = {}

local SPEC = {
  words = 1,
  options = {
    to = "list", cc = "list", bcc = "list", from = "text", ["from-name"] = "text",
    ["reply-to"] = "list", subject = "text", message = "text", ["message-file"] = "text",
    format = "text", template = "text", var = "list", vars = "text", attach = "list",
    ["thread-id"] = "text", ["in-reply-to"] = "text", ["no-tracking"] = "flag",
    metadata = "text", ["idempotency-key"] = "text", draft = "flag", mode = "text",
    ["dry-run"] = "flag", json = "flag",
  },
}

---@class send_work
---@field body? string|paraph.blob   of POST /
---@field err? paraph.err            why there is none
---@field key? string                Idempotency-Key
---@field rehearse boolean
---@field as_json boolean

---@param list string[]
---@param host paraph.command_host
---@return send_work? work
---@return string? sentence          what is wrong with the arguments
function send.read(list, host)
  local given, sentence = arguments.read(SPEC, list)
  if not given then return nil, sentence end
  local options = given.options
  if options.dry_run and options.json then
    return nil, "--dry-run prints the message itself, and --json an answer: one of the two"
  end
  local body, err = submission.read(options, given.words[1], host)
  if not body and type(err) == "string" then return nil, terminal.line(err) end
  return {
    body = body, err = err,
    key = not options.dry_run and options.idempotency_key or nil, -- what was answered is no message
    rehearse = options.dry_run == true, as_json = options.json == true,
  }
end

-- --- what is printed -----------------------------------------------------------------------------

local function as_json(answer)
  return answer.status == 200 and 0 or 1, answer.bytes:string(64 << 20) .. "\n"
end

--- An error before there is an answer, in the shape of one.
local function failed(err, work)
  if not work.as_json then return 1, nil, listing.failure(err) end
  return 1, json.encode { status = "error", code = err.code, error = err.message } .. "\n"
end

-- --- the command ---------------------------------------------------------------------------------

local function post(work)
  local answer, err = operator.request("POST", "/", work.body,
    { ["content-type"] = "application/json", ["idempotency-key"] = work.key })
  if answer and answer.trace then log.error("policy error", { error = answer.trace }) end
  return answer, err
end

local function decode(body)
  return json.decode(body, { blobs = "attachments.*.content" })
end

--- Why the policies have refused what they were given, with the place.
local function refusal_of(work, said)
  local document = message.members(decode(work.body))
  local decision = document and decisions.judged(document, operator.caller)
  return decision and decision.verdict == "refuse" and decision or { reason = said.error }
end

-- --- dry runs ------------------------------------------------------------------------------------

--- The last letter that left.
local function last_sent()
  local found
  for _, letter in ipairs(rehearsal.letters()) do
    if letter.sent then found = letter end
  end
  return found
end

--- The message of a draft, as it would leave.
local function message_of(id)
  local answer, err = operator.request("GET", ("/drafts/%s/message"):format(id))
  if not answer then return nil, err end
  if answer.status ~= 200 then return nil, answer.json end
  return answer.bytes
end

--- The message that was refused, as a draft would have it.
local function message_refused(work)
  local request = decode(work.body)
  request.mode = "draft"
  local answer, err = operator.request("POST", "/", json.encode(request))
  if not answer then return nil, err end
  if answer.status ~= 200 then return nil, answer.json end
  return message_of(answer.json.draft_id)
end

--- The bytes of the message, and a word on what the rules would make of it.
local function rehearsed(work, answer)
  local said = answer.json
  if said.code == "refused_by_policy" then
    local bytes, err = message_refused(work)
    if not bytes then return nil, err end
    return bytes, listing.decision("it would be refused", refusal_of(work, said)), 1
  elseif answer.status ~= 200 then
    return nil, said
  elseif said.mode == "send" then
    return last_sent().bytes, nil, 0
  end
  local bytes, err = message_of(said.draft_id)
  if not bytes then return nil, err end
  return bytes, said.held and listing.held("it would be held", said), 0
end

local function dry_run(work)
  local answer, err = post(work)
  if not answer then return failed(err, work) end
  local bytes, word, status = rehearsed(work, answer)
  if not bytes then return 1, nil, listing.failure(word) end
  return status, bytes, word or nil
end

--- Nobody waited for the answer, so nobody knows.
local function interrupted()
  return { code = "cancelled", message = "interrupted; the message may have left all the same: "
    .. "look into the mailbox, or give the same command again if it had an --idempotency-key" }
end

---@async
---@param work send_work
---@return integer status
---@return string|paraph.blob|nil out
---@return string? err
function send.run(work)
  assert(rehearsal.active() == work.rehearse, "a dry run, or what is none, in the wrong world")
  if work.err then return failed(work.err, work) end
  if work.rehearse then return dry_run(work) end
  local answer = post(work)
  if not answer then return failed(interrupted(), work) end
  if work.as_json then return as_json(answer) end
  if answer.status == 200 then return 0, listing.posted(answer) .. "\n" end
  if answer.json.code ~= "refused_by_policy" then return 1, nil, listing.failure(answer.json) end
  return 1, nil, listing.decision("refused_by_policy", refusal_of(work, answer.json))
end

return send
