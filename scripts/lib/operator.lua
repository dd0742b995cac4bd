--- Requests of whoever runs the program himself: he has its configuration, and so every role.

local crypto = require "paraph.crypto"
local json = require "paraph.json"
local log = require "paraph.log"
local serve = require "paraph.serve"

local operator = {}

local NAME, METHOD = "command line", "command"

--- As policies see him.
---@type paraph.caller
operator.caller = {
  name = NAME, method = METHOD,
  roles = { draft = true, send = true, review = true, ops = true },
}

---@class operator.answer
---@field status integer
---@field headers table<string, string>
---@field bytes? paraph.blob
---@field json? any           of a JSON answer

--- A request in process, as the service would answer it.
---@async
---@param method string
---@param target string
---@param body? string|paraph.blob          JSON
---@param headers? table<string, string>    names in lower case
---@return operator.answer? answer
---@return paraph.err? err                   it was interrupted
function operator.request(method, target, body, headers)
  local reply, err = serve {
    method = method, target = target, body = body, headers = headers or {},
    id = crypto.uuid4(), remote = "127.0.0.1",
    caller = { name = NAME, method = METHOD, roles = { "draft", "send", "review", "ops" } },
  }
  if not reply then return nil, err end
  if reply.trace then log.error("policy error", { route = target, error = reply.trace }) end
  local is_json = (reply.headers["Content-Type"] or ""):find("^application/json") ~= nil
  if is_json and reply.bytes then reply.json = json.decode(reply.bytes) end
  return reply
end

return operator
