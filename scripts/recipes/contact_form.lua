--- POST /contact-form: what visitors of a web site write becomes a draft to one address of ours.
---
--- my/settings.lua is `return { contact_to = { type = "text" } }`, and my/routes.lua:
---
---   local contact_form, routes = require "recipes.contact_form", require "shipped.routes"
---   local form = contact_form { to = require("lib.settings").contact_to }
---   routes[#routes + 1] = { "POST", "/contact-form", handler = form, access = "public" }
---   return routes
---
--- Start it with POLICY_CONTACT_TO=office@example.com. It takes a form of a web page, or JSON, with
--- email, message, and if wanted name and subject. The draft is plain text from us to us, not
--- tracked, with the visitor in Reply-To; he can add no recipient and no header. Let the page
--- have a hidden, empty field "website": robots fill it in, and are thanked for nothing. Each
--- address may write five times a day, all together 200 times. It has no captcha, takes no files,
--- and answers no scripts of other sites (CORS).

local address = require "paraph.address"
local body = require "lib.body"
local crypto = require "paraph.crypto"
local fail = require "lib.fail"
local form = require "lib.form"
local given = require "lib.given"
local log = require "paraph.log"
local messages = require "api.messages"
local peer = require "lib.peer"
local quota = require "lib.quota"
local schema = require "lib.schema"
local time = require "paraph.time"

---@class contact_form
---@field to string             the address where all of it goes
---@field thanks? string        where a form leads to when it was sent: a page of yours
---@field per_address? integer  messages a day from one address; default 5
---@field per_day? integer      messages a day from all; default 200
---@field proxies? integer      how many of ours stand in front (1 on Cloud Run); default 0

local BODY_MAX = 65536 -- bytes
local CALLER = { name = "contact-form", roles = {} } -- may do nothing but draft

local function line(max)
  return { type = "string", format = "line", maxLength = max }
end

local WANTED = {
  type = "object", required = { "email", "message" },
  properties = {
    email = line(254), name = line(100), subject = line(200), website = line(1000),
    message = { type = "string", format = "text", minLength = 1, maxLength = 20000 },
  },
}

--- What the visitor sent, checked; a field that is left empty is not there.
local function read(req)
  if req.body and #req.body > BODY_MAX then
    return fail("payload_too_large", "this is longer than a contact form can take")
  end
  local value, err
  if form.is_type(req.headers["content-type"]) then
    value = form.decode(req.body and req.body:string(BODY_MAX) or "")
  else
    value, err = body.decode(req)
    if err then return nil, err end
  end
  for name, member in pairs(type(value) == "table" and value or {}) do
    if member == "" then value[name] = nil end
  end
  return schema.check(WANTED, value)
end

local function request_of(written, to)
  local mailboxes = address.parse(written.email)
  if not mailboxes or #mailboxes ~= 1 then
    return fail("invalid_field", "email: must be one e-mail address", "email")
  end
  local visitor = mailboxes[1].address
  return {
    mode = "draft", format = "text", tracking = false, to = to,
    reply_to = address.format { address = visitor, name = written.name },
    subject = "Contact form: " .. (written.subject or "(no subject)"),
    message = ("%s <%s> writes:\n\n%s")
      :format(written.name or "Somebody", visitor, written.message),
  }
end

--- What is counted does not tell who wrote.
local function counters_of(req, options)
  local who = peer(req.remote, req.headers["x-forwarded-for"], options.proxies) or "unknown"
  local one = "contact form from " .. crypto.sha256(who)
  return quota.load({
    { name = one, most = options.per_address or 5, count = 1 },
    { name = "contact form", most = options.per_day or 200, count = 1 },
  }, time.date())
end

--- Keep it as a draft, if it is not one too many.
local function submit(request, counters)
  local over, err = quota.take(counters)
  if not over then return nil, err end
  if over ~= true then
    return fail("rate_limited", "there are too many messages today; try again tomorrow")
  end
  local reply
  reply, err = messages.submit(request, CALLER)
  if reply or err.code == "policy_error" and err.details then return true end -- a draft either way
  quota.give_back(counters)
  return nil, err
end

local function thanks(req, options)
  if not form.is_type(req.headers["content-type"]) then return { json = { status = "ok" } } end
  if not options.thanks then return { body = "Thank you. Your message has arrived.\n" } end
  return { status = 303, body = "", headers = { Location = options.thanks } }
end

---@param options contact_form
---@return fun(req: paraph.request): paraph.reply?, paraph.err?
return function(options)
  given("contact_form", options, {
    to = "string", thanks = "string?", per_address = "integer?", per_day = "integer?",
    proxies = "integer?",
  })
  local to = address.parse(options.to)
  if not to or #to ~= 1 then
    error(("contact form: '%s' is no address that it could write to"):format(options.to), 2)
  end
  return function(req)
    local written, err, request, counters, ok
    written, err = read(req)
    if not written then return nil, err end
    if written.website then
      log.info("a robot filled in the contact form")
      return thanks(req, options)
    end
    request, err = request_of(written, to[1].address)
    if not request then return nil, err end
    counters, err = counters_of(req, options)
    if not counters then return nil, err end
    ok, err = submit(request, counters)
    if not ok then return nil, err end
    return thanks(req, options)
  end
end
