--- Remove what has been in a collection for longer than so many seconds.

local log = require "paraph.log"
local store = require "paraph.store"
local task = require "paraph.task"
local time = require "paraph.time"

local BATCH = 50 -- removed at a time

local function remove(collection, row)
  local ok, err = store.delete(collection, row.id, { version = row.version })
  if not ok and err.code ~= "conflict" then return nil, err end
  return true
end

--- Remove these, all at once; the first error.
local function remove_all(collection, rows)
  local removals = {}
  for i, row in ipairs(rows) do
    removals[i] = function() return remove(collection, row) end
  end
  local results, err = task.all(removals)
  if not results then return err end
  for _, result in ipairs(results) do
    if not result[1] then return result[2] end
  end
end

---@async
---@param collection string
---@param seconds number
return function(collection, seconds)
  local before = time.format(time.parse(time.now()) - seconds)
  local page, err
  repeat
    page, err = store.query(collection, { before = before, limit = BATCH })
    err = err or remove_all(collection, page.documents)
  until err or #page.documents == 0
  if err then
    log.warning("expired records not removed", { collection = collection, error = err.message })
  end
end
