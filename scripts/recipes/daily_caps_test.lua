local daily_caps = require "recipes.daily_caps"
local expect = require "lib.expect"
local letters = require "lib.letter"

local letter = letters.of {
  from = "Me <Me@example.org>", to = "ann@example.com, bob@EXAMPLE.com", cc = "cy@bücher.example",
  bcc = "di@mail.example.com",
}

--- { caps, limits }
local cases = {
  ["none"] = { {}, {} },
  ["senders"] = { { from = 9 }, { { name = "from me@example.org", most = 9 } } },
  ["domains, by recipients"] = { { to = 5 }, {
    { name = "to example.com", most = 5, count = 2 },
    { name = "to xn--bcher-kva.example", most = 5, count = 1 },
    { name = "to mail.example.com", most = 5, count = 1 },
  } },
  ["one domain, in any spelling"] = { { domains = { ["Bücher.example"] = 7 } },
    { { name = "to xn--bcher-kva.example", most = 7, count = 1 } } },
  ["none for one domain"] = { { domains = { ["example.com"] = 0 } },
    { { name = "to example.com", most = 0, count = 2 } } },
}

local tests = {}

for name, case in pairs(cases) do
  tests[name] = function() expect.equal(daily_caps(case[1])(letter), case[2]) end
end

tests["a domain that is none is refused"] = function()
  expect.raises("'*' is no domain", daily_caps, { domains = { ["*"] = 1 } })
end

return tests
