--- What has become of a draft: its editions and what differs between them, who decided, when it
--- left, and who opened it.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local diff = require "lib.diff"
local editions = require "lib.editions"
local fail = require "lib.fail"
local json = require "paraph.json"
local shown = require "lib.shown"
local statistics = require "lib.statistics"
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
    one = type(one) == "table" and one or {}
    lines[i] = ("%s (%d)"):format(shown.text(one.filename or one.content_id),
      math.tointeger(one.size) or 0)
  end
  return table.concat(lines, "\n")
end

local RECIPIENTS = { to = true, cc = true, bcc = true, reply_to = true }

local function lines_of(list)
  local lines = {}
  for i, item in ipairs(list) do lines[i] = shown.text(item) end
  return table.concat(lines, "\n")
end

local function text_of(field, value)
  if value == nil then return "" end
  if type(value) == "string" then return value end
  if field == "attachments" and type(value) == "table" then return names_of(value) end
  if RECIPIENTS[field] and type(value) == "table" then return lines_of(value) end
  return json.encode(value)
end

local function row(kind, text)
  return { ["is_" .. kind] = true, text = shown.line(text) }
end

--- The rows of what differs between two editions, one field after the other.
local function rows_between(old, new, t)
  local rows, room = {}, diff.room()
  for _, field in ipairs(FIELDS) do
    local lines =
      diff.lines(text_of(field, old.document[field]), text_of(field, new.document[field]), room)
    if lines[1] then rows[#rows + 1] = row("title", t["field_" .. field] or field) end
    for _, line in ipairs(lines) do
      rows[#rows + 1] = line.text and row(line.kind, line.text)
        or row("skipped", t["diff_" .. line.kind]:format(line.count))
    end
  end
  return rows
end

local function label_of(edition, t)
  return t.edition_by:format(edition.number + 1, edition.by)
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
---@param edition? string   its number, as a form has it
---@param t table<string, string>
---@return { by: string, at?: table, rows: table[] }
function history.since(draft, edition, t)
  local latest, seen = editions.latest(draft.document), math.tointeger(tonumber(edition)) or 0
  local old = seen < latest.number and editions.load(draft, seen) or nil
  local rows = old and rows_between(old, latest, t) or {}
  if not rows[1] then rows[1] = row("same", t.changed_elsewhere) end
  return { by = latest.by, at = shown.instant(latest.at, t), rows = rows }
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
      detail = detail and shown.text(detail) or false, href = href or false }
  end
  add(document.created_at, document.created_by, "created")
  if document.held then add(document.created_at, nil, "held", document.held) end
  for _, edition in ipairs(all) do
    if edition.number > 0 then
      add(edition.at, edition.by, "edited", nil,
        ("/review/%s/changes?from=%d&to=%d"):format(draft.id, edition.number - 1, edition.number))
    end
  end
  local failure = type(document.failure) == "table" and document.failure or {}
  add(failure.reviewed_at, failure.reviewed_by, "approved")
  add(failure.at, nil, "failed", failure.error)
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

local LINE = { width = 640, height = 80, left = 10, right = 630, top = 10, bottom = 50 }
local BAR = 3

--- Each kind has its colour and pattern, on all plots the same.
local function class_of(kind)
  for i, known in ipairs(statistics.kinds) do
    if kind == known then return "series-" .. i end
  end
  return "series-" .. #statistics.kinds
end

local function kinds_of(pixel, t)
  local kinds = {}
  for _, kind in ipairs(statistics.kinds) do
    local n = math.tointeger(pixel["opens_" .. kind]) or 0
    if n > 0 then kinds[#kinds + 1] = { kind = kind, label = t["stats_kind_" .. kind], n = n } end
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
      rows[#rows + 1] = { at = at, kind = kind, kind_label = t["stats_kind_" .. kind] or kind,
        reason = shown.text(open.reason) }
    end
  end
  table.sort(rows, function(a, b) return a.at.iso < b.at.iso end)
  return rows
end

--- The opens on a line, from when it left until the last of them.
local function chart_of(rows, pixel, kinds, t)
  local start = shown.instant(pixel.created_at, t)
  local stop = rows[#rows] and rows[#rows].at
  if not start or not stop then return nil end
  local first = time.parse(start.iso)
  local length, bars = math.max(time.parse(stop.iso) - first, 1), {}
  for i, open in ipairs(rows) do
    local part = math.max(0, math.min(1, (time.parse(open.at.iso) - first) / length))
    bars[i] = {
      x = LINE.left + part * (LINE.right - LINE.left - BAR) // 1 | 0, width = BAR,
      y = LINE.top, height = LINE.bottom - LINE.top,
      label = open.at.text .. ", " .. open.kind_label, class = class_of(open.kind),
    }
  end
  local legend = {}
  for i, kind in ipairs(kinds) do
    legend[i] = { label = kind.label, class = class_of(kind.kind) }
  end
  return {
    width = LINE.width, height = LINE.height, left = LINE.left, right = LINE.right,
    top = LINE.top, bottom = LINE.bottom, bars = bars, legend = legend,
    ticks = { { x = LINE.left + 65, label = start.text },
      { x = LINE.right - 65, label = stop.text } },
  }
end

--- Who opened it, as far as can be told; nil: it is not tracked.
---@param pixel? paraph.document
---@param t table<string, string>
---@return { count: integer, kinds: table[], rows: table[], chart?: table }?
function history.opens(pixel, t)
  if not pixel then return nil end
  local rows, kinds = rows_of(pixel, t), kinds_of(pixel, t)
  return {
    count = math.tointeger(pixel.open_count) or 0, kinds = kinds, rows = rows,
    chart = chart_of(rows, pixel, kinds, t),
  }
end

return history
