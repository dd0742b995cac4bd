local expect = require "lib.expect"
local letters = require "lib.letter"
local untracked = require "recipes.untracked"

local place = untracked { "example.com", "*.gov" }

--- { to, where the pixel stands }
local cases = {
  { "ann@example.org", "after_message" },
  { "ann@example.com", "none" },
  { "ann@mail.example.com", "after_message" },
  { "ann@dept.GOV", "none" },
  { "bob@example.org, ann@example.com", "none" },
}

local tests = {}

for _, case in ipairs(cases) do
  tests[case[1]] = function() expect.equal(place(letters.of { to = case[1] }), case[2]) end
end

tests["another place for the others"] = function()
  expect.equal(untracked({}, "end")(letters.of { to = "ann@example.org" }), "end")
end

return tests
