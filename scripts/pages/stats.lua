--- GET /review/stats?days=7|30|90: what was sent, opened and reviewed, as charts and as tables.

local chart = require "lib.chart"
local page = require "lib.page"
local statistics = require "lib.statistics"

local stats = {}

local PERIODS = { 7, 30, 90 }
local DEFAULT = 30
local TEMPLATES_MOST = 20 -- that have a row of their own

-- --- words ---------------------------------------------------------------------------------------

local MINUTE, HOUR, DAY = 60, 3600, 86400

--- Seconds in a unit that people would use: from so many seconds on, by so many, in these words.
local units = {
  { from = 2 * DAY, by = DAY, word = "stats_day_count", name = "stats_in_days" },
  { from = 2 * HOUR, by = HOUR, word = "stats_hours", name = "stats_in_hours" },
  { from = 2 * MINUTE, by = MINUTE, word = "stats_minutes", name = "stats_in_minutes" },
  { from = -math.huge, by = 1, word = "stats_seconds", name = "stats_in_seconds" },
}

local function unit_of(seconds)
  for _, unit in ipairs(units) do
    if seconds >= unit.from then return unit end
  end
end

local function rounded(value)
  return math.floor(value + 0.5)
end

--- A time that something took; a dash for none.
local function duration(t, seconds)
  if not seconds then return "–" end
  local unit = unit_of(seconds)
  return t[unit.word]:format(rounded(seconds / unit.by))
end

local function day_text(t, day)
  local months = {}
  for month in t.stats_months:gmatch("%S+") do months[#months + 1] = month end
  return ("%d %s"):format(day.day, months[day.month])
end

local function date_text(t, day)
  return ("%s %d"):format(day_text(t, day), day.year)
end

-- --- by day --------------------------------------------------------------------------------------

--- The rows of a table: those that are about the whole period, then the days, the newest first.
local function rows_of(t, figures, whole, cells)
  local rows = {}
  for i, row in ipairs(whole) do rows[i] = row end
  for i = #figures.days, 1, -1 do
    rows[#rows + 1] = { date_text(t, figures.days[i]), cells(figures.days[i], i) }
  end
  return rows
end

--- A chart by day, with its table: each series is a column of both.
local function by_day(t, figures, options)
  local labels, head = {}, { t.stats_day }
  for i, one in ipairs(options.series) do head[i + 1] = one.label end
  for i, day in ipairs(figures.days) do labels[i] = day_text(t, day) end
  local rows = rows_of(t, figures, options.whole, function(_, i)
    local cells = {}
    for n, one in ipairs(options.series) do cells[n] = one.values[i] end
    return table.unpack(cells)
  end)
  return { id = options.id, title = options.title, description = options.description,
    svg = chart.stacked(labels, options.series), head = head, rows = rows }
end

--- A series of a number that each day has.
local function series_of(figures, label, number)
  local values = {}
  for i, day in ipairs(figures.days) do values[i] = number(day) end
  return { label = label, values = values }
end

local function sent_chart(t, figures)
  local all = figures.all
  return by_day(t, figures, {
    id = "sent", title = t.stats_sent, description = t.stats_sent_description,
    series = {
      series_of(figures, t.stats_reviewed, function(day) return day.reviewed end),
      series_of(figures, t.stats_direct, function(day) return day.direct end),
    },
    whole = { { t.stats_total, all.reviewed, all.direct } },
  })
end

local function rejected_chart(t, figures)
  return by_day(t, figures, {
    id = "rejected", title = t.stats_rejected, description = t.stats_rejected_description,
    series = { series_of(figures, t.stats_rejected, function(day) return day.rejected end) },
    whole = { { t.stats_total, figures.all.rejected } },
  })
end

local function opens_chart(t, figures)
  local series, undated, all, any_undated = {}, { t.stats_undated }, { t.stats_total }, false
  for i, kind in ipairs(statistics.kinds) do
    series[i] = series_of(figures, t["stats_kind_" .. kind], function(day)
      return day.opens[kind]
    end)
    undated[i + 1], all[i + 1] = figures.undated[kind], figures.all.opens[kind]
    any_undated = any_undated or figures.undated[kind] > 0
  end
  return by_day(t, figures, {
    id = "opens", title = t.stats_opens, description = t.stats_opens_description,
    series = series, whole = any_undated and { all, undated } or { all },
  })
end

--- The longest times of a day, of which the chart takes its unit.
local function longest(figures)
  local most = 0
  for _, day in ipairs(figures.days) do most = math.max(most, day.review.p90 or 0) end
  return most
end

--- The part of a bar up to the median, and the part from there to the 90th percentile. The table
--- has the times themselves.
local function review_chart(t, figures)
  local unit = unit_of(longest(figures))
  local function scaled(seconds) return (seconds or 0) / unit.by end
  local made = by_day(t, figures, {
    id = "review", title = t.stats_review_time,
    description = t.stats_review_description:format(t[unit.name]),
    series = {
      series_of(figures, t.stats_median, function(day) return scaled(day.review.median) end),
      series_of(figures, t.stats_to_p90, function(day)
        return scaled(day.review.p90) - scaled(day.review.median)
      end),
    },
    whole = {},
  })
  local function cells(day)
    local review = day.review
    return review.count, duration(t, review.median), duration(t, review.p90)
  end
  made.head = { t.stats_day, t.stats_reviews, t.stats_median, t.stats_p90 }
  made.rows = rows_of(t, figures, { { t.stats_total, cells(figures.all) } }, cells)
  return made
end

-- --- by template ---------------------------------------------------------------------------------

local function share(t, part, whole)
  if whole == 0 then return "–" end
  return t.stats_share:format(rounded(100 * part / whole), part, whole)
end

--- The templates that have no row of their own have one together, without a time.
local function other_templates(t, templates)
  local sent, tracked, opened = 0, 0, 0
  for i = TEMPLATES_MOST + 1, #templates do
    local template = templates[i]
    sent, tracked, opened =
      sent + template.sent, tracked + template.tracked, opened + template.opened
  end
  return { t.stats_other_templates, sent, share(t, opened, tracked), duration(t) }
end

local function templates_table(t, figures)
  local templates, rows = figures.templates, {}
  for i = 1, math.min(#templates, TEMPLATES_MOST) do
    local template = templates[i]
    rows[i] = { template.name or t.stats_no_template, template.sent,
      share(t, template.opened, template.tracked), duration(t, template.review.median) }
  end
  if #templates > TEMPLATES_MOST then rows[#rows + 1] = other_templates(t, templates) end
  return { id = "templates", title = t.stats_templates,
    description = t.stats_templates_description,
    head = { t.stats_template, t.stats_sent, t.stats_opened, t.stats_median }, rows = rows }
end

-- --- the page ------------------------------------------------------------------------------------

local function totals_of(t, all)
  return {
    { label = t.stats_sent, value = all.reviewed + all.direct },
    { label = t.stats_opens_read, value = all.opens.person + all.opens.proxy },
    { label = t.stats_review_time, value = duration(t, all.review.median) },
    { label = t.stats_rejected, value = all.rejected },
  }
end

local function periods_of(t, days)
  local periods = {}
  for i, n in ipairs(PERIODS) do
    periods[i] = { n = n, label = t.stats_days:format(n), href = "/review/stats?days=" .. n,
      is_current = n == days }
  end
  return periods
end

local function bounded(t, figures)
  if not figures.bounded then return nil end
  return t.stats_bounded:format(statistics.MOST, date_text(t, figures.bounded))
end

--- What the template shows.
---@param figures statistics.figures
---@param t table<string, string>   words of a language
---@return table
function stats.model(figures, t)
  local days = figures.days
  return {
    is_stats = true,
    title = t.stats_title,
    days = periods_of(t, #days),
    period = t.stats_period:format(date_text(t, days[1]), date_text(t, days[#days])),
    totals = totals_of(t, figures.all),
    charts = { sent_chart(t, figures), opens_chart(t, figures), review_chart(t, figures),
      rejected_chart(t, figures), templates_table(t, figures) },
    bounded = bounded(t, figures),
  }
end

local function days_of(req)
  for _, n in ipairs(PERIODS) do
    if req.query.days == tostring(n) then return n end
  end
  return DEFAULT
end

--- GET /review/stats
stats.show = page.handler(function(req)
  local figures, err = statistics.collect(days_of(req))
  if not figures then return nil, err end
  return page.reply(req, "stats", stats.model(figures, page.words(req)))
end)

return stats
