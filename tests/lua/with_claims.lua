--- Claims under watch, for tests: what a claim writes can be made to fail.

local expect = require "lib.expect"
local mail = require "paraph.mail"
local store = require "paraph.store"

--- Run `body` with `instead(step, members)` asked before each write of a claim ("note", or the
--- status it ends with): what it returns, if anything, is the answer, and nothing is written.
---@param instead fun(step: string, members: table): ...
---@param body fun()
return function(instead, body)
  local claim, draft_create, draft_send = store.claim, mail.draft_create, mail.draft_send
  local function watched(held)
    local function write(method, step, members, ...)
      local answer = table.pack(instead(step, members))
      if answer.n > 0 then return table.unpack(answer, 1, answer.n) end
      return held[method](held, ...)
    end
    return {
      held = held,
      note = function(_, members, options)
        return write("note", "note", members, members, options)
      end,
      finish = function(_, status, members, options)
        return write("finish", status, members, status, members, options)
      end,
    }
  end
  expect.while_replaced(store, "claim", function(...)
    local held, err = claim(...)
    return held and watched(held), err
  end, function()
    expect.while_replaced(mail, "draft_create", function(watching, built)
      return draft_create(watching.held or watching, built)
    end, function()
      expect.while_replaced(mail, "draft_send", function(watching, draft)
        return draft_send(watching.held or watching, draft)
      end, body)
    end)
  end)
end
