--- Commands that look at drafts and at what would leave, and change nothing.

local asking = require "prompt.asking"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local drafts = require "lib.drafts"
local hooks = require "lib.hooks"
local letter = require "lib.letter"
local listing = require "lib.listing"
local message = require "lib.message"
local mime = require "lib.mime"
local operator = require "lib.operator"
local rehearsal = require "paraph.rehearsal"
local rules = require "lib.rules"
local schema = require "lib.schema"
local scripts = require "paraph.scripts"
local viewing = require "lib.viewing"

-- --- :drafts, :show ------------------------------------------------------------------------------

local LISTED = 20

local function list(rest, host)
  local asked = rest == "" and {} or operator.queries[rest]
  if not asked then
    return "failed", ("%s is no status of a draft: %s"):format(rest,
      table.concat(operator.statuses, ", "))
  end
  local found, more = drafts.list { limit = LISTED, status = asked.status,
    waiting = asked.waiting }
  if not found then return asking.failed(more) end
  if not found[1] then return "shown", "no drafts" end
  local lines = listing.drafts(found, host.columns)
  if more then lines[#lines + 1] = "… and older ones" end
  return "shown", table.concat(lines, "\n")
end

local function show(rest)
  local draft, err = asking.draft(rest)
  if not draft then return asking.failed(err) end
  local lines
  lines, err = listing.draft(draft)
  if not lines then return asking.failed(err) end
  return "shown", table.concat(lines, "\n")
end

-- --- :preview ------------------------------------------------------------------------------------

local AROUND = 60 -- bytes of HTML before and behind the pixel

--- Where the pixel stands in the HTML.
local function place_of(view)
  if not view.pixel then return "no pixel" end
  local from, to = view.html:find(view.pixel, 1, true)
  if not from then return "the pixel is not in the HTML" end
  local function part(first, last)
    return (view.html:sub(math.max(first, 1), last):gsub("%s+", " "))
  end
  return ("pixel %s\n  after   %s\n  before  %s"):format(view.pixel_id,
    part(from - AROUND, from - 1), part(to + 1, to + AROUND))
end

local HEADERS = { "From", "To", "Cc", "Bcc", "Reply-To", "Subject", "In-Reply-To" }

local function attachment_line(part)
  return ("attached: %s, %s, %d bytes"):format(part.filename or part.content_id or "(no name)",
    part.type, part:size())
end

--- A message as its reader sees it.
local function lines_of(view)
  local lines, headers, read = {}, {}, view.read
  for _, field in ipairs(read.fields) do headers[field.name:lower()] = field.value end
  for _, name in ipairs(HEADERS) do
    local value = headers[name:lower()]
    if value then lines[#lines + 1] = ("%s: %s"):format(name, value) end
  end
  lines[#lines + 1] = "\n" .. (read.plain and read.plain:text() or "(no text)"):gsub("%s+$", "")
  lines[#lines + 1] = "\n"
    .. (view.html and ("HTML of %d bytes, %s"):format(#view.html, place_of(view)) or "no HTML")
  for _, part in ipairs(read.parts) do
    if part ~= read.html and part ~= read.plain then lines[#lines + 1] = attachment_line(part) end
  end
  return lines
end

--- The view of a draft that there is, or of a message that is none yet.
local function view_of(rest)
  if rest:sub(1, 1) ~= "{" then
    local draft, err = asking.draft(rest)
    if not draft then return nil, asking.failed(err) end
    local view
    view, err = viewing.open(draft)
    if not view then return nil, asking.failed(err) end
    return view
  end
  local request, word, text = asking.table_of(rest)
  if not request then return nil, word, text end
  local ok, err = schema.check(message.post, request)
  if not ok then return nil, asking.failed(err) end
  local document, contents = message.members(request)
  if not document then return nil, asking.failed(contents) end
  local view
  view, err = viewing.build(crypto.uuid4(), document, contents or {})
  if not view then return nil, asking.failed(err) end
  return view
end

local function preview(rest, host)
  local with_html = rest:find("^%-%-html%s") or rest:find("%s%-%-html$")
  rest = rest:gsub("^%-%-html%s+", ""):gsub("%s+%-%-html$", "")
  local view, word, text = view_of(rest)
  if not view then return word, text end
  local lines = lines_of(view)
  if with_html then
    if not host.save then return "failed", "--html writes a file: not on another machine" end
    local path, why = host.save(viewing.html(view, true))
    if not path then return "failed", why end
    lines[#lines + 1] = "the HTML is in " .. path
  end
  return "shown", table.concat(lines, "\n")
end

-- --- :why ----------------------------------------------------------------------------------------

--- A line of a script, as excerpts show it.
local function source_line(at)
  local name, number = at:match("^(.-):(%d+)$")
  local text = name and scripts.source(name)
  if not text then return nil end
  local n = 0
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    n = n + 1
    if n == tonumber(number) then return ("  %5d | %s"):format(n, line) end
  end
end

local function words_of(decision)
  if decision.reason then return ("%s: %s"):format(decision.verdict, decision.reason) end
  return decision.verdict
end

local function add_decision(lines, when, decision)
  lines[#lines + 1] = ("%s: %s"):format(when, words_of(decision))
  lines[#lines + 1] = ("  by %s, %s"):format(decision.rule or "?", decision.at or "?")
end

local function add_decision_now(lines, facts)
  local decision = hooks.decide(facts)
  if not decision then
    lines[#lines + 1] = "as the rules are now: they fail"
    return
  end
  add_decision(lines, "as the rules are now", decision)
  lines[#lines + 1] = source_line(decision.at)
end

local function add_rules(lines, facts)
  local answers = rules.explain(hooks.find("policy.review", "decide"), facts)
  for i, answer in ipairs(answers or {}) do
    lines[#lines + 1] = ("  %d. %-24s %-28s %s"):format(i, answer.rule, answer.at,
      answer.verdict and words_of(answer) or "says nothing")
  end
end

local function why(rest)
  local draft, err = asking.draft(rest)
  if not draft then return asking.failed(err) end
  local document, lines = draft.document, {}
  if type(document.decision) == "table" then
    add_decision(lines, "decided", document.decision)
  else
    lines[#lines + 1] = "no rule was asked: it came as a draft"
  end
  if document.error then lines[#lines + 1] = "error: " .. tostring(document.error) end
  if document.reject_reason then
    lines[#lines + 1] = "rejected: " .. tostring(document.reject_reason)
  end
  local facts = letter.of(message.posted(document))
  add_decision_now(lines, facts)
  add_rules(lines, facts)
  if config.no_send then lines[#lines + 1] = "NO_SEND is set: nothing leaves, whatever they say" end
  return "shown", table.concat(lines, "\n")
end

-- --- :outbox -------------------------------------------------------------------------------------

--- The pixel of a message that was built already.
local function pixel_in(html)
  return (html or ""):match("(<img[^>]-/pixel%?id=([%x-]+)[^>]*>)")
end

--- A message of which there is nothing but its bytes.
local function reread(bytes)
  local read = mime.read(bytes)
  local view = { read = read, html = read.html and read.html:text() }
  view.pixel, view.pixel_id = pixel_in(view.html)
  return view
end

local function letter_line(number, one)
  return ("%3d  to %s  %s%s"):format(number, table.concat(one.to, ", "),
    mime.read(one.bytes).headers.subject or "", one.sent and "" or "  (not sent)")
end

local function outbox(rest)
  if not rehearsal.active() then return "shown", "what was sent is in the mailbox itself" end
  local letters, lines = rehearsal.letters(), {}
  local one = letters[math.tointeger(tonumber(rest))]
  if one then return "shown", table.concat(lines_of(reread(one.bytes)), "\n") end
  for i, each in ipairs(letters) do lines[i] = letter_line(i, each) end
  if not lines[1] then lines[1] = "nothing has left" end
  return "shown", table.concat(lines, "\n")
end

return {
  { "drafts", "[STATUS]", "the newest drafts", run = list, complete = "status" },
  { "show", "ID", "a draft, as it is stored", run = show, complete = "draft" },
  { "preview", "ID | { to = …, … } [--html]", "the message, and where the pixel sits",
    run = preview, complete = "draft" },
  { "why", "ID", "which rule decided, and what the rules say now", run = why, complete = "draft" },
  { "outbox", "[N]", "what has left in this rehearsal", run = outbox },
}
