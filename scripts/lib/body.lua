--- The JSON body of a request.

local json = require "paraph.json"
local fail = require "lib.fail"
local schema = require "lib.schema"

local body = {}

--- Attachments stay outside Lua.
local DECODE = { blobs = "attachments.*.content" }

--- What nearly everybody writes; others are taken to pieces.
local USUAL = { ["application/json"] = true, ["application/json; charset=utf-8"] = true }

local function is_json(content_type)
  if USUAL[content_type] then return true end
  local kind = content_type:match("^[^;]*"):lower():match("^%s*(%S*)%s*$")
  return kind == "application/json" or (kind or ""):find("^[^/]+/[^/]+%+json$") ~= nil
end

--- The body as a Lua value. A request that does not name its type is taken to mean JSON.
---@param req paraph.request
---@return any value
---@return paraph.err? err   `unsupported_media_type`, `malformed_json` or `invalid_field`
function body.decode(req)
  local content_type = req.headers["content-type"]
  if content_type and not is_json(content_type) then
    return fail("unsupported_media_type",
      "the body must be JSON, with the Content-Type application/json")
  end
  if (req.headers["content-encoding"] or "identity"):lower() ~= "identity" then
    return fail("unsupported_media_type",
      "the body must come as it is, without Content-Encoding: compressed ones are not taken")
  end
  if not req.body or #req.body == 0 then
    return fail("malformed_json", "the body is empty; it must be a JSON object")
  end
  return json.decode(req.body, DECODE)
end

--- The body, checked.
---@param req paraph.request
---@param wanted schema
---@return table? value
---@return paraph.err? err
function body.read(req, wanted)
  local value, err = body.decode(req)
  if err then return nil, err end
  return schema.check(wanted, value)
end

return body
