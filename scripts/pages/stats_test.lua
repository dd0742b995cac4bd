--- The page of figures: what its template is given, in each language.

local expect = require "lib.expect"
local statistics = require "lib.statistics"
local stats = require "pages.stats"
local words = require "pages.words"

local tests = {}

local function opens_of(count)
  local opens = {}
  for i, kind in ipairs(statistics.kinds) do opens[kind] = count * i end
  return opens
end

--- The figures of so many days in March, the same for each of them.
local function figures_of(days, more)
  local review = { count = 3, median = 90.0, p90 = 5400.0 }
  local figures = { days = {}, undated = opens_of(0), templates = {},
    all = { reviewed = 2 * days, direct = days, rejected = 0, opens = opens_of(days),
      review = review } }
  for i = 1, days do
    figures.days[i] = { year = 2026, month = 3, day = i, reviewed = 2, direct = 1, rejected = 0,
      opens = opens_of(1), review = review }
  end
  for name, value in pairs(more or {}) do figures[name] = value end
  return figures
end

local function chart_of(model, id)
  for _, one in ipairs(model.charts) do
    if one.id == id then return one end
  end
end

for lang, t in pairs(words) do
  tests["every table is whole, in " .. lang] = function()
    local model = stats.model(figures_of(7, { bounded = { year = 2026, month = 12, day = 31 },
      undated = opens_of(1) }), t)
    expect.equal(#model.charts, 5)
    for _, one in ipairs(model.charts) do
      for _, row in ipairs(one.rows) do expect.equal(#row, #one.head) end
      expect.equal(#one.title > 0 and #one.description > 0, true)
    end
    expect.holds(model.bounded, "2026")
    expect.equal(#model.totals, 4)
  end
end

tests["the table has the numbers of the chart"] = function()
  local sent = chart_of(stats.model(figures_of(7), words.en), "sent")
  expect.equal({ #sent.rows, #sent.svg.bars }, { 8, 14 })
  expect.equal(sent.rows[1], { words.en.stats_total, 14, 7 })
  expect.equal({ sent.rows[2], sent.rows[8] },
    { { "7 Mar 2026", 2, 1 }, { "1 Mar 2026", 2, 1 } })
  expect.holds(sent.svg.bars[1].label, "1 Mar, ")
  expect.holds(sent.svg.bars[1].label, ": 2")
end

tests["times are in units that fit"] = function()
  local model = stats.model(figures_of(7), words.en)
  local review = chart_of(model, "review")
  expect.equal({ review.rows[1][3], review.rows[1][4] }, { "90 s", "90 min" })
  expect.holds(review.description, words.en.stats_in_minutes)
  local none = figures_of(7)
  none.all.review = { count = 0 }
  expect.equal(stats.model(none, words.en).totals[3].value, "–")
end

tests["opens without a day are a row, if there are any"] = function()
  local with = chart_of(stats.model(figures_of(7, { undated = opens_of(2) }), words.en), "opens")
  expect.equal({ #with.rows, with.rows[2][1] }, { 9, words.en.stats_undated })
  expect.equal({ with.rows[2][2], with.rows[2][7] }, { 2, 12 })
  expect.equal(#chart_of(stats.model(figures_of(7), words.en), "opens").rows, 8)
end

tests["templates: those that sent most by name, the others together"] = function()
  local templates = { { name = false, sent = 9, tracked = 0, opened = 0, review = { count = 0 } } }
  for i = 2, 25 do
    templates[i] = { name = "t" .. i, sent = 2, tracked = 2, opened = 1,
      review = { count = 1, median = 7200.0 } }
  end
  local rows = chart_of(stats.model(figures_of(7, { templates = templates }), words.en),
    "templates").rows
  expect.equal(rows[1], { words.en.stats_no_template, 9, "–", "–" })
  expect.equal(rows[2], { "t2", 2, words.en.stats_share:format(50, 1, 2), "2 h" })
  expect.equal({ #rows, rows[21][1], rows[21][2] }, { 21, words.en.stats_other_templates, 10 })
end

tests["the period that is shown is the current one"] = function()
  for _, n in ipairs { 7, 30 } do
    local model = stats.model(figures_of(n), words.en)
    for _, period in ipairs(model.days) do expect.equal(period.is_current, period.n == n) end
  end
end

return tests
