--- What has become of a draft: its editions and what differs between them, who decided, when it
--- left, and who opened it.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local diff = require "lib.diff"
local editions = require "lib.editions"
local fail = require "lib.fail"
local json = require "paraph.json"
local shown = require "lib.shown"
local store = require "paraph.store"
local time = require "paraph.time"

local history = {}

-- --- editions ------------------------------------------------------------------------------------

--- What a reader may find changed, in the order of the page.
local FIELDS = { "from", "from_name", "to", "cc", "bcc", "reply_to", "subject", "format",
  "template", "vars", "body", "attachments", "tracking", "thread_id", "in_reply_to", "metadata" }

local function names_of(attachments)
  local lines = {}
  for i, one in ipairs(attachments) do
    lines[i] = ("%s (%d)"):format(shown.text(one.filename or one.content_id),
      math.tointeger(one.size) or 0)
  end
  return table.concat(lines, "\n")
end

local function text_of(field, value)
  if value == nil then return "" end
  if type(value) == "string" then return value end
  if field == "attachments" and type(value) == "table" then return names_of(value) end
  if type(value) == "table" and type(value[1]) == "string" then return table.concat(value, ", ") end
  return json.encode(value)
end

local function row(kind, text)
  return { ["is_" .. kind] = true, text = text }
end

--- The rows of what differs between two editions, one field after the other.
local function rows_between(old, new, t)
  local rows = {}
  for _, field in ipairs(FIELDS) do
    local lines, differs =
      diff.lines(text_of(field, old.document[field]), text_of(field, new.document[field]))
    if differs then
      rows[#rows + 1] = row("title", t["field_" .. field] or field)
      for _, line in ipairs(lines) do rows[#rows + 1] = row(line.kind, line.text) end
    end
  end
  return rows
end

local function label_of(edition, t)
  local at = shown.instant(edition.at, t)
  return t.edition_label:format(edition.number + 1, edition.by, at and at.text or "")
end

--- What differs between two editions of a draft.
---@async
---@param draft draft
---@param from? integer   default: the one before `to`
---@param to? integer     default: the latest
---@param t table<string, string>
---@return { from_label: string, to_label: string, rows: table[] }?
---@return paraph.err? err
function history.changes(draft, from, to, t)
  to = to or editions.number(draft.document)
  local new, old, err
  new, err = editions.load(draft, to)
  if err then return nil, err end
  old, err = editions.load(draft, from or to - 1)
  if err then return nil, err end
  if not new or not old then return fail("not_found", "this draft has no such edition") end
  return {
    from_label = label_of(old, t), to_label = label_of(new, t), rows = rows_between(old, new, t),
  }
end

--- What has become of a draft since somebody saw an edition of it.
---@async
---@param draft draft
---@param seen integer
---@param t table<string, string>
---@return { by: string, at?: table, rows: table[], is_elsewhere: boolean }
function history.since(draft, seen, t)
  local latest = editions.latest(draft.document)
  local old = seen < latest.number and editions.load(draft, seen) or nil
  local rows = old and rows_between(old, latest, t) or {}
  return { by = latest.by, at = shown.instant(latest.at, t), rows = rows,
    is_elsewhere = #rows == 0 }
end

-- --- events --------------------------------------------------------------------------------------

--- In the order in which they happened, those of the same moment as they are added.
local function in_order(events)
  for i, event in ipairs(events) do event.place = i end
  table.sort(events, function(a, b)
    if a.at.iso ~= b.at.iso then return a.at.iso < b.at.iso end
    return a.place < b.place
  end)
  return events
end

--- What has happened to a draft.
---@param draft draft
---@param all edition[]
---@param t table<string, string>
---@return { at: table, who: string, what: string, detail?: string, href?: string }[]
function history.events(draft, all, t)
  local document, events = draft.document, {}
  local function add(at, who, what, detail, href)
    local instant = shown.instant(at, t)
    if not instant then return end
    events[#events + 1] = { at = instant, who = shown.text(who), what = t["event_" .. what],
      detail = detail and shown.text(detail) or nil, href = href }
  end
  add(document.created_at, document.created_by, "created")
  if document.held then add(document.created_at, nil, "held", document.held) end
  for _, edition in ipairs(all) do
    if edition.number > 0 then
      add(edition.at, edition.by, "edited", nil,
        ("/review/%s/changes?from=%d&to=%d"):format(draft.id, edition.number - 1, edition.number))
    end
  end
  local decided = document.status == "rejected" and "rejected" or "approved"
  add(document.reviewed_at, document.reviewed_by, decided, document.reject_reason)
  add(document.approved_at, document.approved_by, "approved")
  add(document.sent_at, nil, "sent")
  return in_order(events)
end

-- --- opens ---------------------------------------------------------------------------------------

--- The pixel of a draft, as it is stored; nil alone: it has none.
---@async
---@param document paraph.document
---@return paraph.document?
---@return paraph.err? err
function history.pixel(document)
  local id = document.pixel_id
  if document.status ~= "sent" or not crypto.is_uuid(id) then return nil end
  local pixel, err = store.get(config.pixel_collection, id)
  return pixel, not pixel and type(err) == "table" and err or nil
end

local KINDS = { "person", "proxy", "prefetch", "scanner", "sender", "unknown" }

local function kinds_of(pixel, t)
  local kinds = {}
  for _, kind in ipairs(KINDS) do
    local n = math.tointeger(pixel["opens_" .. kind]) or 0
    if n > 0 then kinds[#kinds + 1] = { kind = kind, label = t["kind_" .. kind], n = n } end
  end
  return kinds
end

--- The opens one by one; where they are not kept one by one, the first and the last.
local function rows_of(pixel, t)
  local rows = {}
  for _, open in ipairs(type(pixel.opens) == "table" and pixel.opens or {}) do
    local at = type(open) == "table" and shown.instant(open.at, t)
    if at then
      local kind = shown.text(open.kind)
      rows[#rows + 1] = { at = at, kind = kind, kind_label = t["kind_" .. kind] or kind,
        reason = shown.text(open.reason) }
    end
  end
  table.sort(rows, function(a, b) return a.at.iso < b.at.iso end)
  return rows
end

--- Where the opens stand on a line from when it left until the last: x from 0 to 1000.
local function line_of(rows, pixel)
  local start = time.parse(shown.text(pixel.created_at))
  local stop = rows[#rows] and time.parse(rows[#rows].at.iso)
  if not start or not stop then return nil end
  local length, points = math.max(stop - start, 1), {}
  for i, open in ipairs(rows) do
    local part = (time.parse(open.at.iso) - start) / length
    points[i] = { x = math.floor(math.max(0, math.min(1, part)) * 1000), kind = open.kind,
      label = open.at.text .. ", " .. open.kind_label }
  end
  return points
end

--- Who opened it, as far as can be told; nil: it is not tracked.
---@param pixel? paraph.document
---@param t table<string, string>
---@return { count: integer, kinds: table[], rows: table[], line?: table[] }?
function history.opens(pixel, t)
  if not pixel then return nil end
  local rows = rows_of(pixel, t)
  return {
    count = math.tointeger(pixel.open_count) or 0, kinds = kinds_of(pixel, t), rows = rows,
    has_rows = #rows > 0, line = line_of(rows, pixel),
  }
end

return history
