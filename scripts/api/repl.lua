--- POST /repl: a line of an operator who is attached to this service (`paraph repl --attach`).
---
--- The line runs in a session of its caller, and first in a rehearsal. It can read every draft, so
--- that it takes `review` besides `ops`; `:live` takes `send`, too. What is typed is told in the
--- log, but for its texts, since those are of messages.

local body = require "lib.body"
local crypto = require "paraph.crypto"
local fail = require "lib.fail"
local log = require "paraph.log"
local prompt = require "paraph.prompt"

local repl = {}

--- The body of POST /repl.
repl.request = {
  type = "object",
  properties = {
    session = { type = "string", maxLength = 36 },
    line = { type = "string", maxLength = 1000000 },
    complete = { type = "string", maxLength = 10000 },
    columns = { type = "integer", minimum = 20, maximum = 1000 },
  },
}

local TOLD_MAX = 500 -- bytes of a line in the log

local function told(_, text)
  return crypto.is_uuid(text) and "«" .. text .. "»" or "«…»"
end

--- A line of Lua, or a command, without its texts, but for ids. Whatever could be a text is taken
--- for one: a long bracket or a comment ends what is told, even where it is inside of one.
---@param line string
---@return string
function repl.without_texts(line)
  for _, mark in ipairs { "%[=*%[", "%-%-" } do
    local from = line:find(mark)
    if from then line = line:sub(1, from - 1) .. "…" end
  end
  line = line:gsub("\\.", "…"):gsub("([\"'])(.-)%1", told)
  local open = line:find("[\"']")
  return open and line:sub(1, open - 1) .. "…" or line
end

---@param req paraph.request
---@return paraph.reply? reply
---@return paraph.err? err
function repl.post(req)
  if not req.caller.roles.review then
    return fail("forbidden", "a prompt shows drafts: it takes the role `review`, too")
  end
  local asked, err = body.read(req, repl.request)
  if not asked then return nil, err end
  local answer
  answer, err = prompt.run {
    session = asked.session, line = not asked.complete and (asked.line or "") or nil,
    complete = asked.complete, columns = asked.columns or 80,
  }
  if asked.line then
    log.info("prompt", { caller = req.caller.name, live = answer and answer.live or false,
      session = answer and answer.session or asked.session,
      line = repl.without_texts(asked.line):sub(1, TOLD_MAX) })
  end
  if not answer then return nil, err end
  answer.status = "ok"
  return { json = answer }
end

return repl
