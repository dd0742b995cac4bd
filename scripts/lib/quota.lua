--- What has left today, by the names that limits give: one document a day and name, so that all
--- instances count together. After a crash it may count what has not left, never the reverse.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local expire = require "lib.expire"
local fail = require "lib.fail"
local log = require "paraph.log"
local store = require "paraph.store"
local task = require "paraph.task"
local time = require "paraph.time"

local quota = {}

local collection = config.draft_collection .. "_counts"

local PATIENCE_MS = 10000 -- with a count that others change at the same time
local PAUSE_MS, PAUSE_MAX_MS = 8, 512 -- doubled after each attempt
local KEPT_S = 172800 -- no day is looked at any more then, wherever the clock stands

---@class counter
---@field limit limit
---@field id string
---@field day string
---@field used integer
---@field version? string  nil: nothing has been counted yet

---@param counter counter
local function load(counter)
  local record, version = store.get(collection, counter.id)
  if not record and version then return nil, version end
  counter.used = record and math.tointeger(record.count) or 0
  counter.version = version
  return true
end

--- Where limits stand.
---@async
---@param limits limit[]
---@param now paraph.date
---@return counter[]? counters
---@return paraph.err? err
function quota.load(limits, now)
  local day = ("%04d-%02d-%02d"):format(now.year, now.month, now.day)
  local counters, loads = {}, {}
  for i, limit in ipairs(limits) do
    counters[i] = { limit = limit, day = day, id = day .. "-" .. crypto.sha256(limit.name) }
    loads[i] = function() return load(counters[i]) end
  end
  if #loads == 0 then return counters end
  local results, err = task.all(loads)
  if not results then return nil, err end
  for _, result in ipairs(results) do
    if not result[1] then return nil, result[2] end
  end
  return counters
end

--- What has left by now, by the names of the limits.
---@param counters counter[]
---@return table<string, integer>
function quota.used(counters)
  local used = {}
  for _, counter in ipairs(counters) do used[counter.limit.name] = counter.used end
  return used
end

--- Write a count, if it is still the one that was read; nil and `conflict` if it is not.
local function write(counter, count)
  if counter.version then
    return store.update(collection, counter.id, { count = count }, { version = counter.version })
  end
  return store.create(collection, counter.id,
    { name = counter.limit.name, day = counter.day, count = count, created_at = time.now() })
end

--- Change a count by so much; `most`: unless it would exceed that. Of many at once one gets in each
--- time; the pauses are random, so that it is not always the others.
---@return boolean? changed  false: it would
---@return paraph.err? err
local function change(counter, by, most)
  local since, pause = time.monotonic(), PAUSE_MS
  repeat
    local count = math.max(0, counter.used + by)
    if most and count > most then return false end
    local version, err = write(counter, count)
    if version then
      counter.used, counter.version = count, version
      return true
    end
    if err and err.code ~= "conflict" and err.code ~= "already_exists" then return nil, err end
    local ok
    ok, err = task.sleep(math.random(0, pause))
    if ok then ok, err = load(counter) end
    if not ok then return nil, err end
    pause = math.min(2 * pause, PAUSE_MAX_MS)
  until time.monotonic() - since > PATIENCE_MS
  return fail("overloaded", "too many messages are counted at this moment; try again")
end

local function report(counter, err)
  log.warning("daily count is wrong", { limit = counter.limit.name, error = err.message })
end

--- Count a message that has surely not left no more.
---@async
---@param counters counter[]
function quota.give_back(counters)
  for _, counter in ipairs(counters) do
    local ok, err = change(counter, -counter.limit.count)
    if not ok then report(counter, err) end
  end
end

--- Count a message before it leaves, under every limit or none.
---@async
---@param counters counter[]
---@return limit|true|nil over  true: counted; the limit that it would exceed
---@return paraph.err? err
function quota.take(counters)
  local taken = {}
  for i, counter in ipairs(counters) do
    local ok, err = change(counter, counter.limit.count, counter.limit.most)
    if not ok then
      quota.give_back(taken)
      if err then return nil, err end
      return counter.limit
    end
    taken[i] = counter
  end
  return true
end

--- Count a message before it leaves, limit or no limit.
---@async
---@param limits limit[]
---@param now paraph.date
---@return counter[] counted
function quota.add(limits, now)
  local counters, err = quota.load(limits, now)
  if not counters then
    for _, limit in ipairs(limits) do report({ limit = limit }, err) end
    return {}
  end
  local counted = {}
  for _, counter in ipairs(counters) do
    local ok
    ok, err = change(counter, counter.limit.count)
    if ok then counted[#counted + 1] = counter else report(counter, err) end
  end
  return counted
end

--- Forget the days that are over.
---@async
function quota.sweep()
  expire(collection, KEPT_S)
end

return quota
