--- What commands of the prompt have in common: their arguments, and requests to the service within.

local crypto = require "paraph.crypto"
local drafts = require "lib.drafts"
local globals = require "prompt.globals"
local json = require "paraph.json"
local scripts = require "paraph.scripts"
local serve = require "paraph.serve"

local asking = {}

--- An error as a sentence.
---@param err paraph.err
---@return "failed" word
---@return string text
function asking.failed(err)
  return "failed", ("%s: %s"):format(err.code, err.message)
end

--- A table in JSON or in Lua.
---@param text string
---@return table?
---@return string word   why not: "more", or "failed" ...
---@return string? text  ... and a sentence
function asking.table_of(text)
  local value = json.decode(text)
  if type(value) == "table" then return value, "shown" end
  local chunk, why = scripts.compile("return " .. text, "prompt", {})
  if not chunk and why:find("near <eof>", 1, true) then return nil, "more" end
  if chunk then value = chunk() end
  if type(value) == "table" then return value, "shown" end
  return nil, "failed",
    "this is no table, neither in JSON nor in Lua: { to = \"ann@example.com\", … }"
end

local SHORTEST = 4 -- beginning of an id

--- The draft of an id, of the beginning of one, or of a variable that holds one.
---@async
---@param id string
---@return draft?
---@return paraph.err? err
function asking.draft(id)
  local variable = rawget(globals.env, id)
  if type(variable) == "string" then id = variable end
  if crypto.is_uuid(id) or #id < SHORTEST then return drafts.load(id) end
  local page, more = drafts.list { limit = 200 }
  if not page then return nil, more end
  for _, draft in ipairs(page) do
    if draft.id:sub(1, #id) == id:lower() then return draft end
  end
  return drafts.load(id)
end

--- A request, carried through routing and policies in this process.
---@async
---@param method string
---@param target string
---@param body? string    JSON
---@param host prompt_host
---@return { status: integer, headers: table<string, string>, body: string, json?: any,
---  trace?: string }?
---@return paraph.err? err
function asking.request(method, target, body, host)
  local roles = {}
  for role in pairs(host.caller.roles) do roles[#roles + 1] = role end
  local reply, err = serve {
    method = method, target = target, body = body, id = crypto.uuid4(), remote = "127.0.0.1",
    headers = { ["content-type"] = body and "application/json" or nil },
    caller = { name = host.caller.name, method = host.caller.method, roles = roles },
  }
  if not reply then return nil, err end
  reply.body = reply.bytes and reply.bytes:string(64 << 20) or ""
  local is_json = reply.headers["Content-Type"] == "application/json"
  reply.json = is_json and json.decode(reply.body) or nil
  return reply
end

return asking
