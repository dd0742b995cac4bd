local expect = require "lib.expect"
local letters = require "lib.letter"
local template_senders = require "recipes.template_senders"

local rule = template_senders {
  invoice = "Billing@Example.com", ["legal/notice"] = "@bücher.example",
}

--- { template, from, whether it is refused }
local cases = {
  { "invoice", "billing@example.com", false },
  { "invoice", "Billing <BILLING@EXAMPLE.COM>", false },
  { "invoice", "sales@example.com", true },
  { "invoice", "billing@mail.example.com", true },
  { "legal/notice", "anybody@xn--bcher-kva.example", false },
  { "legal/notice", "billing@example.com", true },
  { "welcome", "sales@example.com", false },
  { nil, "sales@example.com", false },
}

local tests = {}

for _, case in ipairs(cases) do
  local template, from, refused = case[1], case[2], case[3]
  tests[("%s from %s"):format(template, from)] = function()
    local verdict, reason = rule(letters.of { from = from, template = template })
    expect.equal(verdict, refused and "refuse" or nil)
    if refused then expect.holds(reason, ("the template '%s' is for"):format(template)) end
  end
end

tests["senders that are none are refused"] = function()
  for _, sender in ipairs { "billing", "billing@", "@" } do
    expect.raises("is no address", template_senders, { invoice = sender })
  end
end

return tests
