--- `paraph check --replay N`: what the policies as they are now would decide about the drafts there
--- are. It reads them and asks review.decide, and does nothing else.
---
--- A draft that was only to be reviewed was never decided about: it is told if it would not leave.
--- What was refused, or sent at once without an Idempotency-Key, is stored nowhere, and so not
--- looked at. Limits and the brake are not replayed: what they held, the policies had let pass.

local config = require "paraph.config"
local drafts = require "lib.drafts"
local hooks = require "lib.hooks"
local letter = require "lib.letter"
local message = require "lib.message"
local task = require "paraph.task"
local terminal = require "lib.terminal"
local time = require "paraph.time"

local replay = {}

local PAGE = 50 -- drafts looked at without waiting

local DONE = { send = "sent", hold = "held", refuse = "refused" }

--- What review.decide had said; nil: it was never asked.
---@return "send"|"hold"|"refuse"|nil verdict
---@return string? words  for it, where those of the decision are not enough
local function verdict_then(decision)
  if type(decision) ~= "table" or not DONE[decision.verdict] then return nil, "never decided" end
  local limited = decision.rule == "limits.of" or decision.rule == "NO_SEND"
  if limited then return "send", ("send (held by %s)"):format(decision.rule) end
  return decision.verdict
end

--- `hold "many recipients" (policy/review.lua:12)`
local function words_of(decision)
  if decision.verdict == "send" then return "send" end
  return ('%s "%s" (%s)'):format(decision.verdict, decision.reason or decision.rule or "?",
    decision.at or "?")
end

local function drafts_of(n)
  return n == 1 and "1 draft" or ("%d drafts"):format(n)
end

local function recipients_of(facts)
  local first = facts.recipients[1]
  if not first then return "nobody" end
  local others = #facts.recipients - 1
  return first.address .. (others > 0 and (" +%d"):format(others) or "")
end

--- Nil for what no clock can have said: others write drafts, too.
local function created_at(document)
  local text = document.created_at
  local seconds = type(text) == "string" and time.parse(text)
  return seconds and seconds > 0 and seconds < 253e9 and seconds or nil
end

--- The letter as the policies saw it when it was posted.
local function letter_of(document)
  local created = created_at(document)
  local author = type(document.created_by) == "string" and document.created_by or ""
  return letter.of(message.posted(document), { name = author, roles = {} }, created), created
end

-- --- what has been found -------------------------------------------------------------------------

---@class replay_found
---@field drafts integer
---@field undecided integer             a hook failed
---@field changes table<string, integer>  "held that were sent" → how many
---@field failures table<string, { count: integer, newest: string }>  by error
---@field lines check_line[]

local function count(found, change)
  found.changes[change] = (found.changes[change] or 0) + 1
end

local function note_failure(found, draft, err)
  local failure = found.failures[err.why] or { count = 0, newest = draft.id }
  found.failures[err.why] = failure
  failure.count = failure.count + 1
  found.undecided = found.undecided + 1
end

local function look_at(found, draft)
  local document = draft.document
  local facts, created = letter_of(document)
  local before, words = verdict_then(document.decision)
  local decision, err = hooks.decide(facts)
  found.drafts = found.drafts + 1
  if not decision then
    note_failure(found, draft, err)
  elseif decision.verdict ~= (before or "send") then
    count(found, ("%s that were %s"):format(DONE[decision.verdict], DONE[before] or words))
    local text = ("%s  %s  was: %s  now: %s"):format(
      created and time.format(created):sub(1, 19) .. "Z" or "at no time", recipients_of(facts),
      words or words_of(document.decision), words_of(decision))
    found.lines[#found.lines + 1] = { "differs", terminal.line(draft.id), terminal.line(text) }
  end
end

--- One sentence: "200 drafts: 187 as before, 9 held that were sent, 4 sent that were held".
local function summary(found)
  if found.drafts == 0 then return "no drafts in " .. config.draft_collection end
  local parts, others = {}, found.undecided
  for change, n in pairs(found.changes) do
    parts[#parts + 1] = ("%d %s"):format(n, change)
    others = others + n
  end
  table.sort(parts)
  table.insert(parts, 1, ("%d as before"):format(found.drafts - others))
  if found.undecided > 0 then parts[#parts + 1] = ("%d failed"):format(found.undecided) end
  return ("%s: %s"):format(drafts_of(found.drafts), table.concat(parts, ", "))
end

--- A hook that fails for many drafts in the same way is told once.
local function add_failures(found)
  local errors = {}
  for why in pairs(found.failures) do errors[#errors + 1] = why end
  table.sort(errors)
  for _, why in ipairs(errors) do
    local failure = found.failures[why]
    found.lines[#found.lines + 1] = { "failed", "replay", ("%s (%s, the newest %s)")
      :format(terminal.line(why), drafts_of(failure.count), failure.newest) }
  end
end

--- The last `most` drafts, newest first.
---@async
---@param most integer
---@return check_line[]? lines
---@return paraph.err? err
function replay.lines(most)
  local found = { drafts = 0, undecided = 0, changes = {}, failures = {}, lines = {} }
  local token
  repeat
    local page, more = drafts.list { limit = math.min(PAGE, most - found.drafts),
      page_token = token }
    if not page then return nil, more end
    for _, draft in ipairs(page) do look_at(found, draft) end
    token = more
    task.sleep(0)
  until not token or found.drafts == most
  add_failures(found)
  found.lines[#found.lines + 1] =
    { found.undecided > 0 and "failed" or "ok", "replay", summary(found) }
  return found.lines
end

return replay
