--- Commands about the service itself, and about this prompt.

local asking = require "prompt.asking"
local config = require "paraph.config"
local globals = require "prompt.globals"
local mail = require "paraph.mail"
local store = require "paraph.store"
local time = require "paraph.time"

-- --- routes, quota -------------------------------------------------------------------------------

local function access_of(route)
  local access = route.access
  return type(access) == "table" and table.concat(access, ", ") or access
end

local function routes()
  local lines = {}
  for i, route in ipairs(require "routes") do
    lines[i] = ("%-6s %-28s %s"):format(route[1], route[2], access_of(route))
  end
  return "shown", table.concat(lines, "\n")
end

--- What has been counted today, by the names of the limits.
local function counted_today()
  local date, lines = time.date(time.parse(time.now())), {}
  local day = ("%04d-%02d-%02d"):format(date.year, date.month, date.day)
  local page, err = store.query(config.draft_collection .. "_counts", { limit = 200 })
  if not page then return nil, err end
  for _, row in ipairs(page.documents) do
    if row.document.day == day then
      lines[#lines + 1] = ("  %6d  %s"):format(row.document.count, row.document.name)
    end
  end
  if not lines[1] then return { "nothing has been counted today (policy/limits.lua)" } end
  table.insert(lines, 1, "counted today, by limit:")
  return lines
end

local function line_of_mailbox(lines)
  local line = mail.line()
  if not line then return end
  lines[#lines + 1] = ("%s: %d under way, %d waiting, in this process"):format(
    mail.default_sender(), line.under_way, line.waiting)
  if line.blocked > 0 then
    lines[#lines + 1] = ("Gmail lets nothing out for another %.0f s"):format(line.blocked)
  end
end

local function quota()
  local lines, err = counted_today()
  if not lines then return asking.failed(err) end
  line_of_mailbox(lines)
  return "shown", table.concat(lines, "\n")
end

-- --- generations ---------------------------------------------------------------------------------

--- The variables for the next generation, behind what there is to say and a sentence about those
--- that cannot go with them.
local function kept(said)
  local saved, lost = globals.save()
  if not lost[1] then return said, saved end
  local gone = ("gone, since they are no plain data: %s"):format(table.concat(lost, ", "))
  return said == "" and gone or said .. "\n" .. gone, saved
end

local function reload()
  return "reload", kept("")
end

local function going_live(sender)
  if config.no_send then return "the store is written to now; NO_SEND lets nothing leave" end
  return ("mail leaves from %s now"):format(sender)
end

local function live(rest, host)
  local sender = mail.default_sender()
  if host.live then return "shown", "sends leave already; :dry ends that" end
  if not host.caller.roles.send then return "failed", "going live takes the role `send`" end
  if rest == sender then return "live", kept(going_live(sender)) end
  if rest ~= "" then
    return "failed", ("sends leave from %s, not from %s: :live %s"):format(sender, rest, sender)
  end
  return "ask", ("From now on mail really leaves from %s, and the store is written to. "
    .. "What was rehearsed stays a rehearsal.\nGo live?"):format(sender), ":live " .. sender
end

local function dry(_, host)
  if not host.live then return "shown", "nothing leaves, and nothing is stored, as it is" end
  return "dry", kept("nothing leaves any more")
end

local function doctor(_, host)
  if not host.attached then return "doctor" end
  return "failed", "`paraph check --live` is for where the service runs: it has a process to itself"
end

return {
  { "routes", "", "every route, and who may take it", run = routes },
  { "quota", "", "what has left today, and what waits before the mailbox", run = quota },
  { "doctor", "", "walk the chain of `paraph check --live`", run = doctor },
  { "reload", "", "take the scripts and templates as they are now", run = reload },
  { "live", "[MAILBOX]", "from now on mail leaves, and the store is written to", run = live },
  { "dry", "", "back to the rehearsal", run = dry },
  { "quit", "", "leave (Ctrl-D)", run = function() return "quit" end },
}
