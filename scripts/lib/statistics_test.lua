--- Figures of a period, from documents that were written by us, and by others.

local config = require "paraph.config"
local expect = require "lib.expect"
local json = require "paraph.json"
local statistics = require "lib.statistics"
local testing = require "paraph.testing"
local time = require "paraph.time"

local NOW = "2026-03-30T15:00:00.000000Z"

--- The store at NOW with these documents, by ids that are made up.
local function world_of(collections)
  local world = testing.world { now = NOW }
  for collection, documents in pairs(collections) do
    for i, document in ipairs(documents) do
      document.created_at = document.created_at or "2026-03-30T08:00:00Z"
      world.put(collection, document.id or ("%s-%05d"):format(collection, i), document)
    end
  end
  return world
end

local function figures_of(collections, days)
  world_of(collections)
  return assert(statistics.collect(days or 7))
end

local function draft(more)
  local document = { status = "sent", created_at = "2026-03-30T08:00:00Z",
    reviewed_at = "2026-03-30T08:01:00Z", sent_at = "2026-03-30T08:01:05Z" }
  for name, value in pairs(more or {}) do document[name] = value or nil end
  return document
end

--- The day of a date like "03-29"; 0 is one of them.
local function day_of(figures, date)
  for _, day in ipairs(figures.days) do
    if ("%02d-%02d"):format(day.month, day.day) == date then return day end
  end
end

local tests = {}

tests["the days of a period, today the last"] = function()
  local figures = figures_of {}
  expect.equal(#figures.days, 7)
  expect.equal({ figures.days[7].month, figures.days[7].day }, { 3, 30 })
  expect.equal({ figures.days[1].month, figures.days[1].day }, { 3, 24 })
  expect.equal(figures.all.review, { count = 0 })
  expect.equal({ figures.templates, figures.bounded }, { {}, nil })
end

tests["what was sent, by when it left and who decided"] = function()
  local figures = figures_of {
    drafts = {
      draft(), draft { reviewed_at = false },
      draft { created_at = "2026-03-20T08:00:00Z", sent_at = "2026-03-28T12:00:00Z" },
      draft { sent_at = "2026-03-10T12:00:00Z" }, draft { status = "pending" },
    },
    pixels = { {}, { draft_id = "drafts-00001" }, { created_at = "2026-03-29T09:00:00Z" } },
  }
  expect.equal({ figures.all.reviewed, figures.all.direct }, { 2, 3 })
  expect.equal({ figures.days[7].reviewed, figures.days[7].direct }, { 1, 2 })
  expect.equal({ day_of(figures, "03-28").reviewed, day_of(figures, "03-29").direct }, { 1, 1 })
end

tests["how long reviews took, of what was sent and what was not"] = function()
  local drafts = {}
  for i = 1, 10 do
    drafts[i] = draft { reviewed_at = ("2026-03-30T08:%02d:00Z"):format(i) }
  end
  drafts[11] = draft { status = "rejected", created_at = "2026-03-29T08:00:00Z",
    reviewed_at = "2026-03-29T10:00:00Z", sent_at = false }
  drafts[12] = draft { reviewed_at = "2026-03-30T07:00:00Z" } -- before it was written
  local figures = figures_of { drafts = drafts }
  expect.equal(figures.days[7].review, { count = 10, median = 300.0, p90 = 540.0 })
  expect.equal(day_of(figures, "03-29").review, { count = 1, median = 7200.0, p90 = 7200.0 })
  expect.equal(figures.all.review, { count = 11, median = 360.0, p90 = 600.0 })
  expect.equal({ day_of(figures, "03-29").rejected, figures.all.rejected }, { 1, 1 })
end

tests["what was rejected counts, whatever its clocks say"] = function()
  local figures = figures_of { drafts = {
    draft { status = "rejected", created_at = "2026-03-30T08:00:00.500Z",
      reviewed_at = "2026-03-30T08:00:00Z", sent_at = false },
  } }
  expect.equal({ figures.days[7].rejected, figures.all.review.count }, { 1, 0 })
end

tests["opens by kind, each on its day"] = function()
  local figures = figures_of { pixels = { { opens_person = 2, opens_scanner = 1, opens = {
    { at = "2026-03-30T09:00:00Z", kind = "person" },
    { at = "2026-03-30T09:00:01Z", kind = "scanner" },
    { at = "2026-03-30T10:00:00Z", kind = "person" },
    { at = "2026-03-30T10:00:00Z", kind = "a new one" },
  } }, { created_at = "2026-03-20T09:00:00Z", opens_person = 50, opens = {
    { at = "2026-03-20T10:00:00Z", kind = "person" },
    { at = "2026-03-29T10:00:00Z", kind = "proxy" },
  } } } }
  local today = figures.days[7].opens
  expect.equal({ today.person, today.scanner, today.unknown, today.proxy }, { 2, 1, 1, 0 })
  expect.equal(day_of(figures, "03-29").opens.proxy, 1)
  expect.equal({ figures.all.opens.person, figures.all.opens.proxy }, { 2, 1 })
  expect.equal(figures.undated.person, 0)
end

tests["opens that are only counted are in the sum alone"] = function()
  local figures = figures_of { pixels = { { opens_person = 5, opens_proxy = 3, opens = {
    { at = "2026-03-30T09:00:00Z", kind = "person" } } } } }
  expect.equal({ figures.all.opens.person, figures.all.opens.proxy }, { 5, 3 })
  expect.equal({ figures.undated.person, figures.undated.proxy }, { 4, 3 })
  expect.equal(figures.days[7].opens.person, 1)
end

tests["by template, whoever names it"] = function()
  local figures = figures_of {
    drafts = {
      draft { id = "one", template = "welcome" },
      draft { id = "two", template = "welcome", reviewed_at = "2026-03-30T08:03:00Z" },
      draft(),
    },
    pixels = {
      { draft_id = "one", opens_proxy = 1 }, { draft_id = "two", opens_scanner = 9 },
      { template = "reminder", opens_person = 1 },
    },
  }
  local function row(template)
    return { template.name, template.sent, template.tracked, template.opened,
      template.review.median or 0 }
  end
  expect.equal(#figures.templates, 3)
  expect.equal(row(figures.templates[1]), { "welcome", 2, 2, 1, 60.0 })
  expect.equal(row(figures.templates[2]), { false, 1, 0, 0, 60.0 })
  expect.equal(row(figures.templates[3]), { "reminder", 1, 1, 1, 0 })
end

tests["a day begins at midnight"] = function()
  local midnight = time.parse(NOW) - time.date(time.parse(NOW)).hour * 3600
  local function sent_at(seconds)
    return draft { reviewed_at = false, sent_at = time.format(seconds) }
  end
  local figures = figures_of { drafts = { sent_at(midnight), sent_at(midnight - 1) } }
  expect.equal({ figures.days[7].direct, figures.days[6].direct }, { 1, 1 })
end

tests["what is too old is not read"] = function()
  local queries = 0
  local store = require "paraph.store"
  local query = store.query
  local drafts = {}
  for i = 1, 120 do drafts[i] = draft { created_at = "2026-01-01T00:00:00Z" } end
  world_of { drafts = drafts }
  expect.while_replaced(store, "query", function(...)
    queries = queries + 1
    return query(...)
  end, function() assert(statistics.collect(7)) end)
  expect.equal(queries, 2) -- one of each collection
end

tests["so many are read, and it is said that there are more"] = function()
  local drafts = {}
  for i = 1, 130 do
    drafts[i] = draft { reviewed_at = false,
      created_at = time.format(time.parse(NOW) - i * 3600), sent_at = NOW }
  end
  expect.while_replaced(statistics, "MOST", 100, function()
    local figures = figures_of { drafts = drafts }
    expect.equal(figures.all.direct, 100)
    expect.equal({ figures.bounded.month, figures.bounded.day }, { 3, 26 })
    expect.equal(figures_of({ drafts = { draft() } }).bounded, nil)
  end)
end

tests["a store that fails is an error"] = function()
  for _, failing in ipairs { config.draft_collection, config.pixel_collection } do
    local store = require "paraph.store"
    local query = store.query
    world_of {}
    expect.while_replaced(store, "query", function(collection, ...)
      if collection == failing then return nil, { code = "store_error", message = "away" } end
      return query(collection, ...)
    end, function() expect.refused("store_error", nil, statistics.collect(7)) end)
  end
end

--- Whatever others have written is counted or left out, and never raises.
local HOSTILE = {
  json.null, true, -1, 1e300, math.maxinteger, "", "2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z",
  "0001-01-01T00:00:00Z", ("x"):rep(100000), {}, { 1, 2 }, { at = {} }, { { at = 1, kind = {} } },
  { { at = NOW, kind = { "person" } } },
}

tests["documents of others break nothing"] = function()
  local members = { "status", "sent_at", "reviewed_at", "template", "opens", "draft_id",
    "opens_person", "subject" }
  local drafts, pixels = {}, {}
  for _, name in ipairs(members) do
    for _, value in ipairs(HOSTILE) do
      drafts[#drafts + 1] = draft { [name] = value }
      pixels[#pixels + 1] = { template = "x", [name] = value }
    end
  end
  local figures = figures_of({ drafts = drafts, pixels = pixels }, 30)
  local whole = #HOSTILE * #members
  expect.equal(figures.all.reviewed <= whole and figures.all.reviewed > whole / 2, true)
  for _, kind in ipairs(statistics.kinds) do
    local count = figures.all.opens[kind]
    expect.equal(math.type(count) == "integer" and count >= 0 and count <= 2000000, true)
  end
end

return tests
