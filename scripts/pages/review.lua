--- GET /review: the drafts there are, newest first; and what is done to several at once.

local approvals = require "lib.approvals"
local batches = require "lib.batches"
local config = require "paraph.config"
local drafts = require "lib.drafts"
local fail = require "lib.fail"
local form = require "lib.form"
local marks = require "lib.marks"
local news = require "lib.news"
local page = require "lib.page"
local search = require "lib.search"
local shown = require "lib.shown"
local store = require "paraph.store"
local task = require "paraph.task"
local url = require "lib.url"

local review = {}

local PAGE = 50     -- rows
local COUNTED = 999 -- drafts of a tab, before it is only said that there are more
local BULK_MAX = 200
local AT_ONCE = 16  -- of them

--- The tabs: each shows what a query of the store finds.
local tabs = {
  { name = "pending", query = { status = "pending" }, is_bulk = true },
  { name = "held", query = { waiting = "held" }, is_bulk = true },
  { name = "failed", query = { waiting = "failed" }, is_bulk = true },
  { name = "sending", query = { status = "sending" } },
  { name = "sent", query = { status = "sent" } },
  { name = "rejected", query = { status = "rejected" } },
}

local function tab_named(name)
  for _, tab in ipairs(tabs) do
    if tab.name == name then return tab end
  end
  return tabs[1]
end

-- --- the list ------------------------------------------------------------------------------------

--- How many are in each tab, as far as they are counted.
local function count_all()
  local counts = {}
  for i, tab in ipairs(tabs) do
    counts[i] = function()
      return store.count(config.draft_collection,
        { status = tab.query.status, waiting = tab.query.waiting, most = COUNTED })
    end
  end
  return task.all(counts)
end

local function shown_count(n)
  return n and (n > COUNTED and COUNTED .. "+" or tostring(n)) or ""
end

local function shown_tabs(current, counts, t)
  local all = {}
  for i, tab in ipairs(tabs) do
    all[i] = {
      label = t["tab_" .. tab.name],
      count = shown_count(counts[i] and counts[i][1]),
      is_current = tab == current,
      href = "/review" .. url.query { tab = i > 1 and tab.name or nil },
    }
  end
  return all
end

--- Who it is for, in a row: the first, and how many others.
local function recipients_of(facts, t)
  local first = facts.recipients[1]
  local others = #facts.recipients - 1
  return first and shown.line(first.address) or t.no_recipient, others > 0 and others
end

local function row_of(draft, facts, found_marks, t)
  local row = shown.draft(draft, t)
  row.to, row.more_to = recipients_of(facts, t)
  row.version = draft.version
  row.marks = found_marks
  return row
end

local function rows_of(found, t)
  local all, letters = marks.of(found, t)
  local rows = {}
  for i, draft in ipairs(found) do rows[i] = row_of(draft, letters[i], all[i], t) end
  return rows
end

--- A page of a tab, or of what a search in it finds.
---@return draft[]? found
---@return string|paraph.err|nil next_page
---@return integer? searched
local function find(tab, q, token)
  local query = { status = tab.query.status, waiting = tab.query.waiting, limit = PAGE,
    page_token = token }
  if q == "" then return drafts.list(query) end
  return search.drafts(query, q)
end

--- GET /review
---@async
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
local function list(req)
  local t = page.words(req)
  local tab, q = tab_named(req.query.tab), (req.query.q or ""):match("^%s*(.-)%s*$"):sub(1, 200)
  local results, err = task.all {
    function() return table.pack(find(tab, q, req.query.page)) end,
    count_all,
    function() return news.newest() end,
    function() return shown.notice(req, t) end,
  }
  if not results then return nil, err end
  local found, token, searched = table.unpack(results[1][1], 1, 3)
  if not found then return nil, token end
  local older = token and "/review" .. url.query { tab = tab.name, q = q ~= "" and q or nil,
    page = token }
  return page.reply(req, "review", {
    title = t["tab_" .. tab.name], is_review = true, tab = tab.name, q = q,
    tabs = shown_tabs(tab, results[2][1] or {}, t),
    rows = rows_of(found, t), empty = #found == 0, is_bulk = tab.is_bulk and #found > 0,
    searched = searched and {
      text = (token and t.searched or t.searched_all):format(searched),
    },
    older_href = older,
    empty_text = q ~= "" and t.empty_search or tab.name == "pending" and t.empty_pending or t.empty,
    since = results[3][1] or "",
    notice = results[4][1],
  })
end
review.list = page.handler(list)

-- --- several at once -----------------------------------------------------------------------------

--- What may be done to a draft, as it was in the list.
local actions = {
  approve = function(item, req)
    return approvals.approve(item.id, { version = item.version }, req.caller)
  end,
  reject = function(item, req, reason)
    return drafts.reject(item.id, reason, req.caller)
  end,
}

local function items_of(text)
  local items = {}
  for i, value in ipairs(form.values(text, "draft")) do
    local id, version = value:match("^([%x-]+):(.+)$")
    if not id then return fail("invalid_field", "draft: is no draft of the list", "draft") end
    items[i] = { id = id, version = version }
  end
  if #items > BULK_MAX then
    return fail("invalid_field", ("draft: %d at once are too many"):format(#items), "draft")
  end
  return items
end

--- What an error says of the draft it is about; others are told as they are.
local FAILURES = {
  draft_not_found = "outcome_gone", changed_since_review = "outcome_changed",
  already_sent = "outcome_decided", rejected = "outcome_decided", in_progress = "outcome_decided",
}

local function failure_of(item, err, t)
  local draft = drafts.load(item.id)
  local known = FAILURES[err.code]
  local refused = err.code == "forbidden" or err.code == "refused_by_policy"
  return {
    href = "/review/" .. item.id, is_ok = err.counted == true,
    subject = draft and shown.draft(draft, t).subject or item.id,
    outcome_label = t[err.counted and "outcome_counted" or known
      or refused and "outcome_refused" or "outcome_failed"],
    detail = not known and not err.counted and err.message or nil,
  }
end

local function success_of(draft, t)
  local row = shown.draft(draft, t)
  local leaves = row.leaves
  return {
    href = row.href, subject = row.subject, is_ok = true,
    outcome_label = leaves and t.outcome_approved:format(leaves.seconds)
      or t["outcome_" .. row.status] or row.status_label,
    undo = leaves and { action = row.href .. "/undo", seconds = leaves.seconds },
  }
end

local function do_all(items, action, req, reason, t)
  local results = {}
  local ok, err = batches(items, AT_ONCE, function(item, i)
    local draft, why = actions[action](item, req, reason)
    results[i] = draft and success_of(draft, t) or failure_of(item, why, t)
  end)
  return ok and results, err
end

--- POST /review/bulk
---@async
local function bulk(req, fields, text)
  local t = page.words(req)
  if not actions[fields.action] then
    return fail("invalid_field", "action: is approve or reject", "action")
  end
  local tab = tab_named(fields.tab).name
  local items, results, err
  items, err = items_of(text)
  if not items then return nil, err end
  if #items == 0 then
    return page.redirect("/review" .. url.query { tab = tab, said = "nothing" })
  end
  local reason
  reason, err = drafts.reason_of(fields.reason)
  if err then return nil, err end
  results, err = do_all(items, fields.action, req, reason, t)
  if not results then return nil, err end
  return page.reply(req, "bulk",
    { is_review = true, results = results, back_href = "/review" .. url.query { tab = tab } })
end
review.bulk = page.form(bulk)

-- --- what is new ---------------------------------------------------------------------------------

--- GET /review/news: server-sent events. Each answer ends with the one event it waited for, or with
--- none; the browser asks again by itself.
---@async
---@param req paraph.request
---@return paraph.reply?
---@return paraph.err?
function review.news(req)
  local since = req.headers["last-event-id"] or req.query.since or ""
  local newest, count = news.wait(since)
  if not newest and count then return nil, count end
  local text = "retry: 1000\n\n"
  if newest then
    text = ("retry: 1000\nid: %s\nevent: news\ndata: {\"drafts\":%d,\"since\":\"%s\"}\n\n")
      :format(newest, count, newest)
  end
  return {
    type = "text/event-stream",
    body = text,
    headers = { ["Cache-Control"] = "no-store", ["X-Accel-Buffering"] = "no" },
  }
end

return review
