local customer_template = require "recipes.customer_template"
local expect = require "lib.expect"
local letters = require "lib.letter"
local templates = require "lib.templates"

local FILES = {
  ["mail/acme/welcome.mustache"] = "<p>Acme greets {{name}}</p>",
  ["mail/broken/welcome.mustache"] = "{{#name}}",
}

local bodies = customer_template()

--- The body of a letter while these templates are there.
local function compose(document)
  local files = templates.over(function(file) return FILES[file] end)
  local html, plain
  expect.while_replaced(templates, "load", files.load, function()
    expect.while_replaced(templates, "render_mail", files.render_mail, function()
      html, plain = bodies({ format = "html", html = "<p>general</p>", text = "general",
        signature = "", signature_text = "" }, letters.of(document))
    end)
  end)
  return html, plain
end

local general, own = "<p>general</p>", "<p>Acme greets Ann</p>"

--- { template, customer, body }
local cases = {
  { "welcome", "acme", own },
  { "welcome", nil, general },
  { "welcome", "other", general },
  { "reminder", "acme", general },
  { "welcome", "../acme", general },
  { "welcome", "acme/x", general },
  { "welcome", "", general },
  { "welcome", 7, general },
  { nil, "acme", general },
}

local tests = {}

for i, case in ipairs(cases) do
  tests[("%d: %s for %s"):format(i, case[1], case[2])] = function()
    local html, plain = compose { template = case[1], vars = { name = "Ann" },
      metadata = { customer = case[2] } }
    expect.equal(html, case[3])
    expect.equal(plain, case[3]:match(">(.-)<"))
  end
end

tests["one that is broken is not passed over"] = function()
  expect.raises("mail/broken/welcome", compose,
    { template = "welcome", metadata = { customer = "broken" } })
end

return tests
