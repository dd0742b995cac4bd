--- Figures of a period: what was sent, opened, reviewed and rejected, by local day and by template.
---
--- They are counted from the documents themselves, which others may have written, too: what is not
--- as it should be is left out. An event counts for the day on which it happened, so documents are
--- also read that are a little older than the period.

local config = require "paraph.config"
local store = require "paraph.store"
local time = require "paraph.time"

local statistics = {}

statistics.kinds = { "person", "proxy", "prefetch", "scanner", "sender", "unknown" }

--- Of each collection so many documents are read, the newest.
statistics.MOST = 2000

local PAGE = 50            -- documents at a time
local DAY_S = 86400
local LEAD_S = 7 * DAY_S   -- a draft may wait, and a mail lie unread, so long and be counted yet
local OPENS_MOST = 100     -- noted one by one in a pixel's document; its counters go on
local COUNTER_MOST = 1000000
local TEMPLATE_BYTES = 200 -- no name is longer

local is_kind = {}
for _, kind in ipairs(statistics.kinds) do is_kind[kind] = true end

--- How long reviews took, in seconds.
---@class statistics.durations
---@field count integer
---@field median? number    nil: there was none
---@field p90? number       the 90th percentile

---@class statistics.day
---@field year integer
---@field month integer
---@field day integer
---@field reviewed integer  sent after a review
---@field direct integer    sent at once
---@field rejected integer
---@field opens table<string, integer>  by kind
---@field review statistics.durations   of the reviews of this day

---@class statistics.template
---@field name string|false  false: mail without a template
---@field sent integer
---@field tracked integer    of these have a pixel
---@field opened integer     of these were opened by a person or a proxy
---@field review statistics.durations

---@class statistics.figures
---@field days statistics.day[]             the oldest first
---@field all statistics.day                the whole period
---@field undated table<string, integer>    opens by kind that are in `all`, their days not known
---@field templates statistics.template[]   those that sent most first
---@field bounded? paraph.date              not all was read: what was before is missing

-- --- the period ----------------------------------------------------------------------------------

local function new_day(date)
  local day = { year = date.year, month = date.month, day = date.day, reviewed = 0, direct = 0,
    rejected = 0, opens = {}, waits = {} }
  for _, kind in ipairs(statistics.kinds) do day.opens[kind] = 0 end
  return day
end

local function key_of(date)
  return ("%04d-%02d-%02d"):format(date.year, date.month, date.day)
end

--- The last so many days. Stepped through from noon to noon: a day may have 23 or 25 hours.
local function new_period(count)
  local now = time.parse(time.now())
  local today = time.date(now)
  local noon = now + (12 - today.hour) * 3600
  local period = { days = {}, by_key = {}, templates = {}, by_name = {}, undated = {} }
  for i = 1, count do
    local date = time.date(noon - (count - i) * DAY_S)
    local day = new_day(date)
    period.days[i], period.by_key[key_of(date)] = day, day
  end
  period.all = new_day(period.days[count])
  period.read_from, period.now = noon - count * DAY_S - LEAD_S, now
  for _, kind in ipairs(statistics.kinds) do period.undated[kind] = 0 end
  return period
end

--- The seconds of a time that is stored; nil for what is none.
local function seconds_of(value)
  return type(value) == "string" and time.parse(value) or nil
end

--- The day of a time; nil if it is not in the period. Days are only asked for of times near by:
--- the first and the last of those that can be stored have none.
local function day_of(period, value)
  local seconds = seconds_of(value)
  if not seconds or seconds < period.read_from or seconds > period.now + DAY_S then return nil end
  return period.by_key[key_of(time.date(seconds))]
end

local function template_of(period, name)
  name = type(name) == "string" and #name <= TEMPLATE_BYTES and name
  local template = period.by_name[name]
  if not template then
    template = { name = name, sent = 0, tracked = 0, opened = 0, waits = {} }
    period.by_name[name] = template
    period.templates[#period.templates + 1] = template
  end
  return template
end

-- --- reading -------------------------------------------------------------------------------------

--- There was more than is read; what is older than this is missing.
local function note_bound(period, created)
  created = math.min(created or period.now, period.now)
  period.bound = math.max(created, period.bound or created)
end

--- Go over a collection, newest first, as far as the period needs it.
local function read(period, collection, visit)
  local query, count, created = { limit = PAGE }, 0, nil
  repeat
    local page, err = store.query(collection, query)
    if not page then return nil, err end
    for _, row in ipairs(page.documents) do
      created = seconds_of(row.document.created_at) or created
      if created and created < period.read_from then return true end
      visit(row)
    end
    count = count + #page.documents
    query.page_token = page.next_page_token
  until not query.page_token or count >= statistics.MOST
  if query.page_token then note_bound(period, created) end
  return true
end

-- --- drafts --------------------------------------------------------------------------------------

local function count_sent(period, document)
  local day = day_of(period, document.sent_at)
  if not day then return end
  local how = seconds_of(document.reviewed_at) and "reviewed" or "direct"
  day[how] = day[how] + 1
  local template = template_of(period, document.template)
  template.sent = template.sent + 1
end

local function count_review(period, document)
  local day = day_of(period, document.reviewed_at)
  if not day then return end
  if document.status == "rejected" then day.rejected = day.rejected + 1 end
  local created = seconds_of(document.created_at)
  local wait = created and seconds_of(document.reviewed_at) - created
  if not wait or wait < 0 then return end -- of clocks that disagree, or made up
  day.waits[#day.waits + 1] = wait
  period.all.waits[#period.all.waits + 1] = wait
  local waits = template_of(period, document.template).waits
  waits[#waits + 1] = wait
end

local function count_draft(period, document)
  if document.status == "sent" then count_sent(period, document) end
  if document.status == "sent" or document.status == "rejected" then
    count_review(period, document)
  end
end

-- --- pixels --------------------------------------------------------------------------------------

--- The opens of a pixel that have a time, by kind: those of the period are counted for their days.
local function count_dated(period, document)
  local dated = {}
  if type(document.opens) ~= "table" then return dated end
  for i = 1, OPENS_MOST do
    local open = document.opens[i]
    if open == nil then break end
    local day = type(open) == "table" and day_of(period, open.at)
    if day then
      local kind = is_kind[open.kind] and open.kind or "unknown"
      day.opens[kind] = day.opens[kind] + 1
      dated[kind] = (dated[kind] or 0) + 1
    end
  end
  return dated
end

--- How often a pixel was opened in all, as its counter says.
local function counter_of(document, kind)
  local count = document["opens_" .. kind]
  return math.type(count) == "integer" and math.min(math.max(count, 0), COUNTER_MOST) or 0
end

--- Opens of a mail of the period are all in the period, so its counters tell of those whose times
--- are not noted.
local function count_undated(period, document, dated)
  local counted = {}
  for _, kind in ipairs(statistics.kinds) do
    local all = math.max(counter_of(document, kind), dated[kind] or 0)
    period.undated[kind] = period.undated[kind] + all - (dated[kind] or 0)
    counted[kind] = all
  end
  return counted
end

--- `names`: the templates of drafts by their ids, for pixels that do not name one.
local function count_pixel(period, document, names)
  local dated = count_dated(period, document)
  local sent = day_of(period, document.created_at)
  if not sent then return end
  local opens = count_undated(period, document, dated)
  local template = template_of(period, document.template or names[document.draft_id])
  template.tracked = template.tracked + 1
  if opens.person + opens.proxy > 0 then template.opened = template.opened + 1 end
  if type(document.draft_id) == "string" then return end
  sent.direct = sent.direct + 1 -- known by its pixel alone
  template.sent = template.sent + 1
end

-- --- sums ----------------------------------------------------------------------------------------

--- The smallest of sorted values that so much of them do not exceed.
local function percentile(sorted, part)
  return sorted[math.max(1, math.ceil(part * #sorted))]
end

local function durations_of(waits)
  table.sort(waits)
  return { count = #waits, median = percentile(waits, 0.5), p90 = percentile(waits, 0.9) }
end

local function add_up(period)
  local all = period.all
  for _, day in ipairs(period.days) do
    for _, name in ipairs { "reviewed", "direct", "rejected" } do
      all[name] = all[name] + day[name]
    end
    for _, kind in ipairs(statistics.kinds) do
      all.opens[kind] = all.opens[kind] + day.opens[kind]
    end
    day.review = durations_of(day.waits)
  end
  for _, kind in ipairs(statistics.kinds) do
    all.opens[kind] = all.opens[kind] + period.undated[kind]
  end
  all.review = durations_of(all.waits)
end

local function sort_templates(templates)
  for _, template in ipairs(templates) do template.review = durations_of(template.waits) end
  table.sort(templates, function(a, b)
    if a.sent ~= b.sent then return a.sent > b.sent end
    return (a.name or "") < (b.name or "")
  end)
  return templates
end

--- The figures of the last so many days, today included.
---@async
---@param days integer
---@return statistics.figures?
---@return paraph.err? err
function statistics.collect(days)
  local period, names = new_period(days), {}
  local ok, err = read(period, config.draft_collection, function(row)
    names[row.id] = row.document.template
    count_draft(period, row.document)
  end)
  if not ok then return nil, err end
  ok, err = read(period, config.pixel_collection, function(row)
    count_pixel(period, row.document, names)
  end)
  if not ok then return nil, err end
  add_up(period)
  return { days = period.days, all = period.all, undated = period.undated,
    templates = sort_templates(period.templates),
    bounded = period.bound and time.date(period.bound) }
end

return statistics
