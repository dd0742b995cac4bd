local expect = require "lib.expect"
local known_domains = require "recipes.known_domains"
local letters = require "lib.letter"

local rule = known_domains { "Example.com", "*.example.com", "bücher.example" }

--- { to, the domain it is held for; nil: it is not held }
local cases = {
  { "ann@example.com" },
  { "Ann <ann@EXAMPLE.COM>" },
  { "ann@mail.example.com, bob@a.b.example.com" },
  { "ann@bücher.example" },
  { "ann@xn--bcher-kva.example" },
  { "ann@mail.bücher.example", "mail.xn--bcher-kva.example" },
  { "ann@example.com, eve@example.net", "example.net" },
  { "ann@notexample.com", "notexample.com" },
  { "ann@example.com.evil.example", "example.com.evil.example" },
}

local tests = {}

for _, case in ipairs(cases) do
  local to, held_for = table.unpack(case)
  tests[to] = function()
    local verdict, reason = rule(letters.of { to = to })
    if not held_for then return expect.equal({ verdict, reason }, {}) end
    expect.equal({ verdict, reason }, { "hold", held_for .. " is not a domain that we know" })
  end
end

tests["blind copies count"] = function()
  expect.equal(rule(letters.of { to = "ann@example.com", bcc = { "eve@example.net" } }), "hold")
end

tests["a list with what is no domain is refused"] = function()
  for _, item in ipairs { "", "*", "*.", "@example.com", "a@example.com", "a.example, b.example",
    "example .com" } do
    expect.raises(("'%s' is no domain"):format(item), known_domains, { item })
  end
end

return tests
