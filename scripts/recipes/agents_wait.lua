--- Let what agents send wait for a person, always.
---
--- my/policy/review.lua:
---
---   local agents_wait = require "recipes.agents_wait"
---   local rules = require "lib.rules"
---   return { decide = rules.first { { "agents", agents_wait { "research-bot", "agent-*" } } } }
---
--- Names are those of callers: of an API key, or an e-mail address; "agent-*" is every name that
--- begins so. `agents_wait()`, without names, is for everybody who may not review mail himself. It
--- is the second lock: the first is to give an agent's key the role `draft` alone, and then it gets
--- 403 for a send. It cannot tell who holds a key, and under AUTH=none nobody has a name.

local given = require "lib.given"

---@param names? string[]
---@return rule
return function(names)
  given("agents_wait", names, "string[]?")
  return function(letter)
    local caller = letter.caller
    if not names and not caller.roles.review then
      return "hold", "whoever may not review mail has it reviewed"
    end
    for _, name in ipairs(names or {}) do
      local start = name:match("^(.*)%*$")
      if caller.name == name or start and caller.name:sub(1, #start) == start then
        return "hold", caller.name .. " is an agent, whose mail a person reads first"
      end
    end
  end
end
