local agents_wait = require "recipes.agents_wait"
local expect = require "lib.expect"
local letters = require "lib.letter"

local NAMES = { "research-bot", "agent-*", "a.b" }

--- { names, caller, roles, whether it is held }
local cases = {
  { NAMES, "research-bot", {}, true },
  { NAMES, "research-bot-2", {}, false },
  { NAMES, "agent-7", { review = true }, true },
  { NAMES, "agent-", {}, true },
  { NAMES, "agent", {}, false },
  { NAMES, "axb", {}, false },
  { NAMES, "crm", {}, false },
  { nil, "crm", { send = true }, true },
  { nil, "anna", { send = true, review = true }, false },
  { {}, "crm", { send = true }, false },
}

local tests = {}

for i, case in ipairs(cases) do
  local names, caller, roles, held = table.unpack(case, 1, 4)
  tests[("%d: %s"):format(i, caller)] = function()
    local letter = letters.of({ to = "a@b.example" }, { name = caller, roles = roles })
    expect.equal(agents_wait(names)(letter), held and "hold" or nil)
  end
end

return tests
