--- What whoever runs the program himself asks for, on the command line or at the prompt: he has its
--- configuration, and so every role.

local crypto = require "paraph.crypto"
local drafts = require "lib.drafts"
local json = require "paraph.json"
local serve = require "paraph.serve"

local operator = {}

--- As policies see him.
---@type paraph.caller
operator.caller = {
  name = "command line", method = "command",
  roles = { draft = true, send = true, review = true, ops = true },
}

--- What he may say for a status, and what the store is asked for then.
---@type table<string, { status?: string, waiting?: string }>
operator.queries = {
  held = { waiting = "held" }, failed = { waiting = "failed" }, approved = { waiting = "approved" },
}
for _, status in ipairs(drafts.statuses) do operator.queries[status] = { status = status } end

--- All of those, in order.
---@type string[]
operator.statuses = {}
for status in pairs(operator.queries) do operator.statuses[#operator.statuses + 1] = status end
table.sort(operator.statuses)

---@class operator.answer
---@field status integer
---@field headers table<string, string>
---@field bytes? paraph.blob
---@field json? any           of a JSON answer
---@field trace? string       of a script that failed

--- A request in process, as the service would answer it.
---@async
---@param method string
---@param target string
---@param body? string|paraph.blob          JSON
---@param headers? table<string, string>    names in lower case
---@param caller? paraph.caller             default: operator.caller
---@return operator.answer? answer
---@return paraph.err? err                   it was interrupted
function operator.request(method, target, body, headers, caller)
  caller = caller or operator.caller
  local roles = {}
  for role in pairs(caller.roles) do roles[#roles + 1] = role end
  local reply, err = serve {
    method = method, target = target, body = body, headers = headers or {},
    id = crypto.uuid4(), remote = "127.0.0.1",
    caller = { name = caller.name, method = caller.method, roles = roles },
  }
  if not reply then return nil, err end
  local is_json = (reply.headers["Content-Type"] or ""):find("^application/json") ~= nil
  if is_json and reply.bytes then reply.json = json.decode(reply.bytes) end
  return reply
end

local RECENT = 200 -- drafts among which the beginning of an id is looked for

--- The draft of an id, or of the beginning of one.
---@async
---@param id string
---@return draft?
---@return paraph.err? err   `draft_not_found`, also for what more than one begins with
function operator.draft(id)
  id = id:lower()
  if crypto.is_uuid(id) then return drafts.load(id) end
  local found, err = drafts.list { limit = RECENT }
  if not found then return nil, err end
  local draft
  for _, one in ipairs(found) do
    if one.id:sub(1, #id) == id then
      if draft then
        return nil, { code = "draft_not_found",
          message = ("more than one draft begins with '%s'"):format(id) }
      end
      draft = one
    end
  end
  if draft then return draft end
  return nil, { code = "draft_not_found",
    message = ("none of the last %d drafts begins with '%s'"):format(RECENT, id) }
end

return operator
