--- GET /openapi.json: the description of all of this, made when it is first asked for.

local conditional = require "lib.conditional"
local crypto = require "paraph.crypto"

local openapi = {}

local text, etag -- of this generation

---@param req paraph.request
---@return paraph.reply
function openapi.get(req)
  if not text then
    text = require "lib.openapi".text()
    etag = '"' .. crypto.sha256(text) .. '"'
  end
  return conditional(req, etag, function()
    return { type = "application/json", body = text }
  end)
end

return openapi
