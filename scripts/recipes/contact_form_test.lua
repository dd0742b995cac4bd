local config = require "paraph.config"
local contact_form = require "recipes.contact_form"
local expect = require "lib.expect"
local json = require "paraph.json"
local store = require "paraph.store"
local testing = require "paraph.testing"

local FORM, JSON = "application/x-www-form-urlencoded", "application/json; charset=utf-8"

local function request(kind, body, more)
  local req = { headers = { ["content-type"] = kind }, remote = "192.0.2.1", body =
    body and testing.blob(type(body) == "table" and json.encode(body) or body) }
  for name, value in pairs(more or {}) do req.headers[name] = value end
  return req
end

--- What is new among the drafts since the last look.
local known = {}
local function new_drafts()
  local found = {}
  for _, row in ipairs(assert(store.query(config.draft_collection)).documents) do
    if not known[row.id] then found[#found + 1] = row.document end
    known[row.id] = true
  end
  return found
end

--- A form that nobody has filled in yet today.
local visitors = 0
local function visit(options, kind, body)
  visitors = visitors + 1
  options.to, options.proxies, options.per_day = "office@example.com", 1, 1000
  new_drafts()
  return contact_form(options)(request(kind, body, { ["x-forwarded-for"] = "visitor" .. visitors }))
end

local function written(more)
  local form = { email = "eve@example.net", message = "Hi" }
  for name, value in pairs(more or {}) do form[name] = value end
  return form
end

local tests = {}

tests["a form becomes a draft to us, and leads on"] = function()
  local reply = assert(visit({ thanks = "https://example.com/thanks" }, FORM,
    "name=E.+Xample&email=eve%40example.net&subject=Gr%C3%BC%C3%9Fe&website="
      .. "&message=Hi%0D%0Athere"))
  expect.equal(reply, { status = 303, body = "",
    headers = { Location = "https://example.com/thanks" } })
  local drafts = new_drafts()
  expect.equal(#drafts, 1)
  local draft = drafts[1]
  expect.equal({ draft.status, draft.to, draft.cc, draft.bcc, draft.reply_to, draft.subject },
    { "pending", "office@example.com", nil, nil, '"E. Xample" <eve@example.net>',
      "Contact form: Grüße" })
  expect.equal({ draft.body, draft.format, draft.tracking, draft.created_by },
    { "E. Xample <eve@example.net> writes:\n\nHi\nthere", "text", false, "contact-form" })
end

tests["JSON is answered with JSON"] = function()
  local reply = assert(visit({}, JSON, written()))
  expect.equal(reply, { json = { status = "ok" } })
  expect.equal(new_drafts()[1].subject, "Contact form: (no subject)")
end

tests["without a page to lead to it says thanks"] = function()
  expect.holds(assert(visit({}, FORM, "email=a@b.example&message=x")).body, "Thank you")
end

tests["robots are thanked, and nothing is kept"] = function()
  local reply = assert(visit({}, JSON, written { website = "https://spam.example" }))
  expect.equal(reply, { json = { status = "ok" } })
  expect.equal(new_drafts(), {})
end

--- { code, field, members }
local refusals = {
  ["a line break in the subject"] =
    { "invalid_field", "subject", { subject = "x\r\nBcc: victim@example.org" } },
  ["a line break in the name"] =
    { "invalid_field", "name", { name = "x\nBcc: victim@example.org" } },
  ["a line break in the address"] =
    { "invalid_field", "email", { email = "a@b.example\r\nBcc: victim@example.org" } },
  ["two addresses"] = { "invalid_field", "email", { email = "a@b.example, c@d.example" } },
  ["no address"] = { "invalid_field", "email", { email = "nobody" } },
  ["an empty address"] = { "invalid_field", "email", { email = "" } },
  ["an empty message"] = { "invalid_field", "message", { message = "" } },
  ["a long message"] = { "invalid_field", "message", { message = ("x"):rep(20001) } },
  ["a number"] = { "invalid_field", "message", { message = 7 } },
  ["another recipient"] = { "unknown_field", "to", { to = "victim@example.org" } },
  ["another mode"] = { "unknown_field", "mode", { mode = "send" } },
  ["an attachment"] = { "unknown_field", "attachments", { attachments = {} } },
}

for name, case in pairs(refusals) do
  tests["refused: " .. name] = function()
    expect.refused(case[1], case[2], visit({}, JSON, written(case[3])))
    expect.equal(new_drafts(), {})
  end
end

--- { code, type, body }
local bodies = {
  ["no body"] = { "malformed_json", JSON },
  ["broken JSON"] = { "malformed_json", JSON, "{" },
  ["a list"] = { "invalid_field", JSON, "[]" },
  ["a text"] = { "unsupported_media_type", "text/plain", "email=a@b.example&message=x" },
  ["a form with files"] = { "unsupported_media_type", "multipart/form-data; boundary=x", "x" },
  ["too much"] = { "payload_too_large", FORM, "message=" .. ("x"):rep(65536) },
  ["an empty form"] = { "invalid_field", FORM },
  ["a form that is no UTF-8"] = { "invalid_field", FORM, "email=a@b.example&message=%FF" },
  ["a form with a recipient"] =
    { "unknown_field", FORM, "email=a@b.example&message=x&bcc=victim%40example.org" },
}

for name, case in pairs(bodies) do
  tests["refused: " .. name] = function()
    expect.refused(case[1], nil, visit({}, case[2], case[3]))
    expect.equal(new_drafts(), {})
  end
end

tests["one address writes so many times a day, whatever it says it is"] = function()
  local form = contact_form { to = "office@example.com", per_address = 2 }
  local function post(forwarded)
    return form(request(JSON, written(), { ["x-forwarded-for"] = forwarded }))
  end
  assert(post("a") and post("b"))
  expect.refused("rate_limited", nil, post("c"))
end

tests["all together write so many times a day"] = function()
  local form = contact_form { to = "office@example.com", per_day = 0 }
  expect.refused("rate_limited", nil, form(request(JSON, written())))
end

tests["what was refused is not counted"] = function()
  local form = contact_form { to = "office@example.com", per_address = 1, proxies = 1 }
  local function post(email)
    return form(request(JSON, written { email = email }, { ["x-forwarded-for"] = "one" }))
  end
  expect.refused("invalid_field", nil, post("nobody"))
  assert(post("eve@example.net"))
  expect.refused("rate_limited", nil, post("eve@example.net"))
end

tests["it writes to one address, or is not there"] = function()
  for _, to in ipairs { "", "nobody", "a@b.example, c@d.example" } do
    expect.raises("is no address that it could write to", contact_form, { to = to })
  end
end

return tests
