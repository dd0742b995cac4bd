--- Go over a collection: `visit` is called for every row of it, with this status if one is given.
--- A row that it fails at is passed over, and told in the log.

local log = require "paraph.log"
local store = require "paraph.store"

local PAGE = 50

---@async
---@param collection string
---@param status? string
---@param visit fun(row: { id: string, version: string, document: paraph.document })
return function(collection, status, visit)
  local query = { status = status, limit = PAGE }
  repeat
    local page, err = store.query(collection, query)
    if not page then
      log.warning("the sweep was cut short", { collection = collection, error = err.message })
      return
    end
    for _, row in ipairs(page.documents) do
      local ok, why = pcall(visit, row)
      if not ok then
        log.error("the sweep passes over a document",
          { collection = collection, id = row.id, error = tostring(why) })
      end
    end
    query.page_token = page.next_page_token
  until not query.page_token
end
