--- Pages for people: a template of pages/ with what all pages share, and the headers that keep a
--- browser to it.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local csrf = require "lib.csrf"
local escape = require("paraph.text").escape
local fail = require "lib.fail"
local form = require "lib.form"
local language = require "lib.language"
local scripts = require "paraph.scripts"
local session = require "paraph.session"
local templates = require "lib.templates"
local words = require "pages.words"

local page = {}

local FORM_MAX = 4 << 20 -- bytes: a body of a million characters, each as %XX

--- Nothing is loaded from elsewhere, only our own script runs, only we may be posted to.
local POLICY = "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
  .. "img-src 'self' data:; connect-src 'self'; frame-src 'self'; form-action 'self'; "
  .. "base-uri 'none'; frame-ancestors 'none'"

-- --- what pages load -----------------------------------------------------------------------------

--- { content type, text, version } of an asset, by its name: templates/pages/<name>.mustache.
local assets = {}

local TYPES = {
  ["style.css"] = "text/css; charset=utf-8",
  ["review.js"] = "text/javascript; charset=utf-8",
}

---@param name string
---@return { type: string, text: string, version: string }?
function page.asset(name)
  if not TYPES[name] then return nil end
  if not assets[name] then
    local text = templates.render("pages/" .. name)
    assets[name] = { type = TYPES[name], text = text, version = crypto.sha256(text):sub(1, 16) }
  end
  return assets[name]
end

local function asset_url(name)
  return ("/assets/%s?v=%s"):format(name, page.asset(name).version)
end

-- --- replies -------------------------------------------------------------------------------------

--- Whether a page has come through TLS, which ends in front of us.
---@param req paraph.request
---@return boolean
function page.is_secure(req)
  return req.headers["x-forwarded-proto"] == "https"
end

--- The words of the language that a browser asks for.
---@param req paraph.request
---@return table<string, string> t
---@return string lang
function page.words(req)
  local lang = language.of(req.headers["accept-language"], words, "en")
  return words[lang], lang
end

--- What every page has.
---@async
local function common(req, nonce)
  local t, lang = page.words(req)
  local shown = {
    t = t, lang = lang, nonce = nonce, no_send = config.no_send,
    style = asset_url("style.css"), script = asset_url("review.js"),
    refused = scripts.refused(),
  }
  if next(req.caller.roles) then
    local token, err = csrf.token(req.caller)
    if not token then return nil, err end
    shown.csrf = token
    shown.user = { name = req.caller.name,
      can_sign_out = session.possible and req.caller.method == "key" }
  end
  return shown
end

---@async
---@param req paraph.request
---@param name string               of a template in pages/
---@param vars table
---@param status? integer|string    as of paraph.reply
---@return paraph.reply?
---@return paraph.err? err
function page.reply(req, name, vars, status)
  local nonce = crypto.uuid4()
  local shown, err = common(req, nonce)
  if not shown then return nil, err end
  for key, value in pairs(vars) do shown[key] = value end
  return {
    status = status,
    type = "text/html; charset=utf-8",
    body = templates.render("pages/" .. name, shown),
    headers = {
      ["Content-Security-Policy"] = POLICY:format(nonce, nonce),
      ["Cache-Control"] = "no-store",
      ["Content-Language"] = shown.lang,
      Vary = "Accept-Language",
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

--- HTML that somebody else wrote: it runs nothing, loads nothing, and leads nowhere, but for images
--- if they were asked for; the browser holds it apart from our pages.
---@param html string
---@param with_images? boolean   from anywhere
---@return paraph.reply
function page.foreign(html, with_images)
  local images = with_images and "data: https: http:" or "data:"
  return {
    type = "text/html; charset=utf-8",
    body = html,
    headers = {
      ["Content-Security-Policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        .. "img-src " .. images .. "; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
      ["X-Frame-Options"] = "SAMEORIGIN",
      ["Referrer-Policy"] = "no-referrer",
      ["Cache-Control"] = "no-store",
    },
  }
end

--- What stands in a frame whose message cannot be built.
---@param err paraph.err
---@return paraph.reply
function page.foreign_error(err)
  return page.foreign("<p>" .. escape(err.message))
end

-- --- handlers ------------------------------------------------------------------------------------

---@alias handler async fun(req: paraph.request): paraph.reply?, paraph.err?

--- The sentences of errors that a person at a page may meet; others are told as programs are.
local SENTENCES = {
  not_found = "error_not_found", draft_not_found = "error_not_found", forbidden = "error_forbidden",
  conflict = "error_conflict", store_error = "error_unavailable",
  firestore_error = "error_unavailable", payload_too_large = "error_too_large",
}

--- What an error tells a person, with what it tells programs behind it where that says more.
local function sentence_of(err, t)
  if err.is_stale_form then return t.error_csrf end
  if err.code == "invalid_field" then return t.error_invalid:format(err.message) end
  if err.code == "invalid_recipient" then return t.error_recipient:format(err.message) end
  local known = t[SENTENCES[err.code]]
  if not known then return err.message end
  return err.code:find("not_found") and known or known .. " (" .. err.message .. ")"
end

--- A handler whose errors are pages, too.
---@param act handler
---@return handler
function page.handler(act)
  return function(req)
    local reply, err = act(req)
    if reply then return reply end
    local t = page.words(req)
    return page.reply(req, "error",
      { title = t.error_title, message = sentence_of(err, t), request_id = req.id }, err.code)
  end
end

--- The fields of a form that was posted from a page of ours.
local function read_form(req)
  if not form.is_type(req.headers["content-type"]) then
    return fail("unsupported_media_type", "the body must be an HTML form")
  end
  local body = req.body
  if body and #body > FORM_MAX then
    return fail("payload_too_large", ("a form can have %d bytes"):format(FORM_MAX))
  end
  local text = body and body:string(FORM_MAX) or ""
  local fields = form.decode(text)
  local ok, err = csrf.check(req.caller, fields.csrf)
  if not ok then return nil, err end
  return fields, text
end

--- The same for what a form of ours posts; `act` gets the fields, and the form as it came.
---@param act async fun(req: paraph.request, fields: table<string, string>, text: string):
---  paraph.reply?, paraph.err?
---@return handler
function page.form(act)
  return page.handler(function(req)
    local fields, text = read_form(req)
    if not fields then return nil, text end
    return act(req, fields, text)
  end)
end

return page
