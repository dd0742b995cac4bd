--- GET /assets/{name}: the style sheet and the script of the pages. Their addresses change with
--- their content, so browsers keep them.

local fail = require "lib.fail"
local page = require "lib.page"

local assets = {}

---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function assets.get(req)
  local asset = page.asset(req.params.name)
  if not asset then return fail("not_found", "there is nothing under this path") end
  local is_this = req.query.v == asset.version
  return {
    type = asset.type,
    body = asset.text,
    headers = {
      ["Cache-Control"] = is_this and "public, max-age=31536000, immutable" or "no-cache",
    },
  }
end

return assets
