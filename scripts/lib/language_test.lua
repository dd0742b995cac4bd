local expect = require "lib.expect"
local language = require "lib.language"
local testing = require "paraph.testing"

local there = { en = true, fr = true }

--- { header, language }
local cases = {
  { nil, "en" },
  { "", "en" },
  { "fr", "fr" },
  { "fr-CH, en;q=0.8", "fr" },
  { "en;q=0.8, FR;q=0.9", "fr" },
  { "de, fr;q=0.5, en;q=0.5", "fr" },
  { "de", "en" },
  { "fr;q=0, en;q=0.1", "en" },
  { "fr;q=x, ;;, ,en", "en" },
  { "*", "en" },
}

return testing.cases(cases, function(case)
  expect.equal(language.of(case[1], there, "en"), case[2])
end)
