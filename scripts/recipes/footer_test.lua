local expect = require "lib.expect"
local footer = require "recipes.footer"
local letters = require "lib.letter"

local bodies = footer {
  texts = { en = "Example Ltd & Co", de = "Beispiel GmbH" },
  countries = { at = "de", de = "de" }, default = "en",
}

--- { to, metadata, footer }
local cases = {
  { "ann@example.com", nil, "Example Ltd & Co" },
  { "ann@example.at", nil, "Beispiel GmbH" },
  { "ann@EXAMPLE.AT, bob@example.com", nil, "Beispiel GmbH" },
  { "ann@example.com", { language = "de-AT" }, "Beispiel GmbH" },
  { "ann@example.at", { language = "EN" }, "Example Ltd & Co" },
  { "ann@example.at", { language = "fr" }, "Beispiel GmbH" },
  { "ann@example.com", { language = 7 }, "Example Ltd & Co" },
  { "nobody", nil, "Example Ltd & Co" },
}

local function compose(hook, letter)
  return hook({ format = "text", html = "Hi", text = "Hi", signature = "<b>Me</b>",
    signature_text = "Me" }, letter)
end

local tests = {}

for i, case in ipairs(cases) do
  tests[("%d: %s"):format(i, case[1])] = function()
    local html, plain = compose(bodies, letters.of { to = case[1], metadata = case[2] })
    expect.equal(plain, "Hi\n\n-- \nMe\n" .. case[3])
    expect.holds(html, (case[3]:gsub("&", "&amp;")))
    local _, signature = html:find("<b>Me</b>", 1, true)
    assert(signature < html:find(case[3]:sub(1, 7), 1, true), "it is not below the signature")
  end
end

tests["who has no language gets none"] = function()
  local hook = footer { texts = { de = "Beispiel" } }
  local _, plain = compose(hook, letters.of { to = "a@b.example" })
  expect.equal(plain, "Hi\n\n-- \nMe")
end

tests["it goes around another hook"] = function()
  local function inner(content) return content.signature, content.text end
  local hook = footer({ texts = { en = "X" }, default = "en" }, inner)
  local html, plain = compose(hook, letters.of {})
  expect.holds(html, "X")
  expect.equal(plain, "Hi")
end

return tests
