--- Drafts and what became of a message, as lines for a person at a terminal.

local drafts = require "lib.drafts"
local editions = require "lib.editions"
local history = require "lib.history"
local json = require "paraph.json"
local shown = require "lib.shown"
local terminal = require "lib.terminal"
local words = require "pages.words"

local listing = {}

local t = words.en

local ID_SHORT = 8 -- characters that tell one draft from those around it

local function line_of(value)
  return terminal.line(shown.text(value))
end

--- " (review.decide, policy/review.lua:12)": the rule that decided, and where it is written.
---@param decision any
---@return string
local function place_of(decision)
  if type(decision) ~= "table" or type(decision.rule) ~= "string" then return "" end
  local at = line_of(decision.at)
  return (" (%s%s)"):format(line_of(decision.rule), at ~= "" and ", " .. at or "")
end

-- --- a list --------------------------------------------------------------------------------------

local COLUMNS = {
  { title = "ID" }, { title = "CREATED" }, { title = "STATUS", least = 12 },
  { title = "TO", least = 12 }, { title = "SUBJECT", least = 12 },
}

--- "held: many recipients"
local function status_of(document)
  local stage = shown.stage(document)
  local why = stage == "held" and document.held or stage == "failed" and document.error
  return line_of(stage) .. (why and ": " .. line_of(why) or "")
end

local function row_of(draft, columns)
  local document = draft.document
  local created = shown.instant(document.created_at, t)
  return {
    columns and draft.id:sub(1, ID_SHORT) or draft.id,
    created and (columns and created.age or created.iso:sub(1, 19) .. "Z") or "-",
    status_of(document), line_of(document.to), line_of(document.subject),
  }
end

--- A table of drafts.
---@param found draft[]
---@param columns? integer   of the terminal: then ids are short, and texts cut to fit; else nothing
---                          is cut
---@return string[] lines
function listing.drafts(found, columns)
  local rows = {}
  for i, draft in ipairs(found) do rows[i] = row_of(draft, columns) end
  return terminal.table(COLUMNS, rows, columns)
end

-- --- one draft -----------------------------------------------------------------------------------

--- Members of the message, in the order of a letter; the body comes last.
local MEMBERS = { "from", "from_name", "to", "cc", "bcc", "reply_to", "subject", "format",
  "template", "vars", "tracking", "thread_id", "in_reply_to", "metadata" }
--- What has become of it.
local OUTCOME = { "error", "message_id", "pixel_id", "gmail_draft_id" }

local WIDTH = #"gmail_draft_id" + 2 -- of the names of members, of which that is the longest

local function value_of(value)
  if type(value) == "string" then return terminal.line(value) end
  if type(value) ~= "table" then return tostring(value) end
  if type(value[1]) == "string" then return terminal.line(table.concat(value, ", ")) end
  return terminal.line(json.encode(value))
end

local function add(lines, name, text)
  lines[#lines + 1] = ("%-" .. WIDTH .. "s%s"):format(name, text)
end

local function add_members(lines, document, names)
  for _, name in ipairs(names) do
    if document[name] ~= nil then add(lines, name, value_of(document[name])) end
  end
end

local function add_attachments(lines, document)
  local attachments = document.attachments
  for _, one in ipairs(type(attachments) == "table" and attachments or {}) do
    one = type(one) == "table" and one or {}
    local name = line_of(one.filename or one.content_id)
    add(lines, "attachment", ("%s (%s)"):format(name,
      shown.size(math.tointeger(one.size) or 0, t)))
  end
end

local function add_block(lines, text)
  lines[#lines + 1] = ""
  for _, line in ipairs(terminal.lines(text)) do lines[#lines + 1] = line end
end

local function add_events(lines, events)
  lines[#lines + 1] = ""
  for _, event in ipairs(events) do
    local who = event.who ~= "" and " by " .. terminal.line(event.who) or ""
    local why = event.detail and ": " .. terminal.line(event.detail) or ""
    lines[#lines + 1] = event.at.iso:sub(1, 19) .. "Z  " .. event.what .. who .. why
  end
end

--- One draft: its message, who decided what, and what has become of it.
---@async
---@param draft draft
---@return string[]? lines
---@return paraph.err? err
function listing.draft(draft)
  local all, err = editions.all(draft)
  if not all then return nil, err end
  local document, lines = draft.document, {}
  add(lines, "draft", draft.id)
  add(lines, "status", status_of(document))
  if type(document.decision) == "table" then
    add(lines, "decision", line_of(document.decision.verdict) .. place_of(document.decision))
  end
  add_members(lines, document, OUTCOME)
  add_members(lines, document, MEMBERS)
  add_attachments(lines, document)
  if document.body ~= nil then add_block(lines, shown.text(document.body)) end
  add_events(lines, history.events(draft, all, t))
  return lines
end

-- --- what became of a message --------------------------------------------------------------------

--- Where a draft is to be found.
local function waits(id)
  return ("draft %s waits at /review/%s"):format(id, id)
end

--- "code: sentence" of an error, be it an answer's or one of a function.
---@param err paraph.err|{ code: string, error: string, draft_id?: string }
---@return string
function listing.failure(err)
  local kept = err.draft_id and "; " .. waits(err.draft_id) or ""
  return terminal.line(("%s: %s%s"):format(err.code, err.message or err.error, kept))
end

--- A decision in words: 'held: many recipients (review.decide, policy/review.lua:12)'.
---@param word string
---@param decision? decision
---@return string
function listing.decision(word, decision)
  local reason = decision and (decision.reason or decision.rule) or ""
  return terminal.line(("%s: %s"):format(word, reason)) .. place_of(decision)
end

--- Why what POST / has answered says that a message is held, with the rule of the draft.
---@async
---@param word string
---@param said { draft_id: string, held: string }
---@return string
function listing.held(word, said)
  local draft = drafts.load(said.draft_id)
  local decision = draft and draft.document.decision
  if type(decision) ~= "table" then decision = {} end
  return listing.decision(word, { reason = said.held, rule = decision.rule, at = decision.at })
end

--- An id that nothing told is that of a send whose answer was lost.
local function id_of(value)
  return value ~= json.null and value or "unknown"
end

--- What POST / has answered.
---@async
---@param answer operator.answer   of status 200
---@return string
function listing.posted(answer)
  local said = answer.json
  local is_replay = answer.headers["Idempotency-Replayed"] == "true"
  local again = is_replay and "before, under this key, " or ""
  if said.mode == "send" then
    local opens = said.pixel_id ~= json.null and "opens are counted as " .. said.pixel_id
      or "opens are not counted"
    return terminal.line(("%ssent: message %s, thread %s; %s"):format(again, id_of(said.id),
      id_of(said.thread_id), opens))
  end
  local where = waits(said.draft_id)
  if not said.held then return again .. where end
  return ("%s%s; %s"):format(again, listing.held("held", said), where)
end

return listing
