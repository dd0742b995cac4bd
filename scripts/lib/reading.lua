--- The body of a letter, for rules that look into it: what its author wrote, or the template he
--- chose with his variables. What policy/compose.lua makes of it is not in it.

local markup = require "lib.markup"
local templates = require "lib.templates"
local text = require "paraph.text"

local reading = {}

local LONGEST = 131072 -- bytes that a hook can look through in its time, whatever they are

--- The reason to hold what cannot be read.
reading.TOO_LONG = "it is too long for the rules to look through"

--- What cannot be converted cannot be sent either: the hook fails, which holds the message.
local function checked(result, err)
  if not result then error(err.message, 0) end
  return #result <= LONGEST and result or nil
end

---@param letter letter
---@return string? html   nil: it is too long
function reading.html(letter)
  local draft = letter.draft
  if letter.template then
    return checked(templates.render_mail(letter.template, draft.vars or {}))
  end
  local body = checked(type(draft.body) == "string" and draft.body or "")
  return body and checked((markup[draft.format] or markup.text)(body))
end

--- The words, without marks and tags.
---@param letter letter
---@return string? plain   nil: it is too long
function reading.text(letter)
  local draft = letter.draft
  if not letter.template and (draft.format or "text") == "text" then
    return checked(type(draft.body) == "string" and draft.body or "")
  end
  local html = reading.html(letter)
  return html and checked(text.from_html(html))
end

return reading
