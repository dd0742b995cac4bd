--- What commands of the prompt have in common: their arguments, and requests to the service within.

local globals = require "prompt.globals"
local json = require "paraph.json"
local listing = require "lib.listing"
local operator = require "lib.operator"
local scripts = require "paraph.scripts"

local asking = {}

--- An error as a sentence.
---@param err paraph.err
---@return "failed" word
---@return string text
function asking.failed(err)
  return "failed", listing.failure(err)
end

--- A table in JSON or in Lua, which may name variables.
---@param text string
---@return table?
---@return string word   why not: "more", or "failed" ...
---@return string? text  ... and a sentence
function asking.table_of(text)
  local value = json.decode(text)
  if type(value) == "table" then return value, "shown" end
  local chunk, why = scripts.compile("return " .. text, "prompt", globals.env)
  if not chunk and why:find("near <eof>", 1, true) then return nil, "more" end
  if chunk then value = chunk() end
  if type(value) == "table" then return value, "shown" end
  return nil, "failed",
    "this is no table, neither in JSON nor in Lua: { to = \"ann@example.com\", … }"
end

--- The draft of an id, of the beginning of one, or of a variable that holds one.
---@async
---@param id string
---@return draft?
---@return paraph.err? err
function asking.draft(id)
  local variable = rawget(globals.env, id)
  return operator.draft(type(variable) == "string" and variable or id)
end

--- A request of whoever is at the prompt.
---@async
---@param method string
---@param target string
---@param body? string    JSON
---@param host prompt_host
---@return operator.answer?
---@return paraph.err? err
function asking.request(method, target, body, host)
  return operator.request(method, target, body,
    { ["content-type"] = body and "application/json" or nil }, host.caller)
end

return asking
