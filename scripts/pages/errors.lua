--- GET /error/{code}: what a person at a browser gets in place of an error in JSON. The host takes
--- the handler for it; the address, and what a form has posted, stay those of his request.

local page = require "lib.page"
local fail = require "lib.fail"

local errors = {}

local SENTENCES = { not_found = "error_not_found", unauthenticated = "error_signed_out" }

---@async
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function errors.show(req)
  local code, t = req.params.code, page.words(req)
  if not SENTENCES[code] then return fail("not_found", "there is nothing under this path") end
  return page.reply(req, "error", {
    title = t.error_title, message = t[SENTENCES[code]], request_id = req.id,
    is_signed_out = code == "unauthenticated",
  }, code)
end

return errors
