--- Signing in and out: a person at a browser gives an API key that has `review`, once, and is known
--- by a cookie from then on.

local expire = require "lib.expire"
local fail = require "lib.fail"
local form = require "lib.form"
local log = require "paraph.log"
local page = require "lib.page"
local session = require "paraph.session"
local url = require "lib.url"

local sign_in = {}

local HOME = "/review"

--- Where to go on: a path of ours, and nothing that a browser takes for another site.
local function next_path(req)
  local path = req.query.next or ""
  return #path <= 1000 and path:find("^/[^/\\%c][^%c\\]*$") and path or HOME
end

local function shown(req, message, status)
  return page.reply(req, "sign_in",
    { message = message, next = url.encode(next_path(req)) }, status)
end

local function impossible()
  return fail("not_found", "there is nothing under this path")
end

--- GET /sign-in?next=…
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function sign_in.show(req)
  if not session.possible then return impossible() end
  return shown(req)
end

--- POST /sign-in?next=…
---@async
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function sign_in.open(req)
  if not session.possible then return impossible() end
  if not form.is_type(req.headers["content-type"]) then
    return fail("unsupported_media_type", "the body must be an HTML form")
  end
  local cookie, err = session.open(req.body or "", page.is_secure(req))
  if cookie then return page.redirect(next_path(req), { ["Set-Cookie"] = cookie }) end
  if err.code ~= "unauthenticated" and err.code ~= "forbidden" then return nil, err end
  log.warning("sign-in refused", { reason = err.message, remote = req.remote })
  return shown(req, err.message, err.status)
end

--- POST /sign-out
---@async
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function sign_in.close(req)
  local cookie, err = session.close(page.is_secure(req))
  if not cookie then return nil, err end
  return page.redirect("/sign-in", { ["Set-Cookie"] = cookie })
end

--- Remove the sessions that are over.
---@async
function sign_in.sweep()
  if session.possible then expire(session.collection, session.seconds) end
end

return sign_in
