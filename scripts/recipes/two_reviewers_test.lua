local expect = require "lib.expect"
local letters = require "lib.letter"
local two_reviewers = require "recipes.two_reviewers"

--- { recipients, approvals, verdict }
local cases = {
  { 2, { "anna" }, nil },
  { 3, { "anna" }, "hold" },
  { 3, { "anna", "bert" }, nil },
}

local tests = {}

for _, case in ipairs(cases) do
  local count, approvals, wanted = case[1], case[2], case[3]
  tests[("%d recipients, %d approvals"):format(count, #approvals)] = function()
    local letter = letters.of { to = "ann@example.com", cc = "bob@example.com",
      bcc = count > 2 and "cy@example.com" or nil }
    letter.approvals = approvals
    local verdict, reason = two_reviewers(2)(letter)
    expect.equal(verdict, wanted)
    if wanted then expect.holds(reason, "3 recipients") end
  end
end

return tests
