--- Pages for people: a template of pages/, and the headers that keep a browser to it.

local crypto = require "paraph.crypto"
local templates = require "lib.templates"

local page = {}

--- Nothing is loaded from anywhere, no script runs, and only we may be posted to. What style there
--- is stands in the page, under its nonce.
local POLICY = "default-src 'none'; style-src 'nonce-%s'; form-action 'self'; "
  .. "base-uri 'none'; frame-ancestors 'none'"

--- Whether a page has come through TLS, which ends in front of us.
---@param req paraph.request
---@return boolean
function page.is_secure(req)
  return req.headers["x-forwarded-proto"] == "https"
end

---@param name string      of a template in pages/; it gets `nonce`, too
---@param vars table
---@param status? integer  default 200
---@return paraph.reply
function page.reply(name, vars, status)
  local nonce = crypto.uuid4()
  local shown = { nonce = nonce }
  for key, value in pairs(vars) do shown[key] = value end
  return {
    status = status,
    type = "text/html; charset=utf-8",
    body = templates.render("pages/" .. name, shown),
    headers = {
      ["Content-Security-Policy"] = POLICY:format(nonce),
      ["Cache-Control"] = "no-store",
    },
  }
end

--- See there (RFC 9110 §15.4.4).
---@param path string
---@param headers? table<string, string>
---@return paraph.reply
function page.redirect(path, headers)
  local all = { Location = path }
  for name, value in pairs(headers or {}) do all[name] = value end
  return { status = 303, headers = all }
end

return page
