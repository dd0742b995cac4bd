--- Whether there is a new draft to review. Whoever waits for one shares the looks at the store with
--- all others who wait.

local config = require "paraph.config"
local store = require "paraph.store"
local task = require "paraph.task"
local time = require "paraph.time"

local news = {}

local WAIT_MS = 25000
local STEP_MS = 500
local PAGE = 50

--- The store is looked at again after so many milliseconds. Each look costs a read in Firestore.
local LOOK_MS = config.backend == "local" and 1000 or 10000

local newest, looked_at = "", -math.huge

local function created(row)
  local text = row.document.created_at
  return type(text) == "string" and time.parse(text) or 0
end

--- When the newest pending draft was made: whoever knows that knows of all there are; "" if there
--- is none.
---@async
---@return string? since
---@return paraph.err? err
function news.newest()
  local page, err = store.query(config.draft_collection, { status = "pending", limit = 1 })
  if not page then return nil, err end
  local row = page.documents[1]
  newest, looked_at = row and time.format(created(row)) or "", time.monotonic()
  return newest
end

--- How many pending drafts are newer, as far as a page goes.
local function count_newer(since)
  local page, err = store.query(config.draft_collection, { status = "pending", limit = PAGE })
  if not page then return nil, err end
  local n = 0
  for _, row in ipairs(page.documents) do
    if created(row) > since then n = n + 1 end
  end
  return n
end

--- Wait until there is a newer one.
---@async
---@param since string       as `newest` gave it
---@return string? since     now; nil alone: nothing has happened for a while
---@return integer|paraph.err|nil count_or_err
function news.wait(since)
  local ends, known = time.monotonic() + WAIT_MS, time.parse(since) or 0
  repeat
    local now, err = newest, nil
    if time.monotonic() - looked_at >= LOOK_MS then now, err = news.newest() end
    if not now then return nil, err end
    if (time.parse(now) or 0) > known then
      local n
      n, err = count_newer(known)
      if not n then return nil, err end
      return now, n
    end
    local ok
    ok, err = task.sleep(STEP_MS)
    if not ok then return nil, err end
  until time.monotonic() >= ends
  return nil
end

return news
