--- Looking for drafts by words. Neither store has an index of words: the newest drafts are looked
--- through, so many at a time, and the caller may go on behind them.

local drafts = require "lib.drafts"
local task = require "paraph.task"

local search = {}

local LOOKED_AT = 500 -- drafts of one search
local PAGE = 100

--- What is looked into. Capitals beyond ASCII count.
local FIELDS = { "subject", "to", "cc", "bcc", "from", "from_name", "body", "created_by",
  "template", "held", "error", "reject_reason" }

local function holds(value, word)
  if type(value) == "string" then return value:lower():find(word, 1, true) ~= nil end
  for _, inner in pairs(type(value) == "table" and value or {}) do
    if holds(inner, word) then return true end
  end
  return false
end

local function has(draft, word)
  if draft.id == word then return true end
  for _, field in ipairs(FIELDS) do
    if holds(draft.document[field], word) then return true end
  end
  return false
end

local function has_all(draft, words)
  for _, word in ipairs(words) do
    if not has(draft, word) then return false end
  end
  return true
end

--- Look through a page of drafts, as far as it is needed: what is behind the last that is found is
--- for the next look, and only a page that ends there says where that begins.
---@return integer? looked_at
---@return string|paraph.err|nil next_page
local function look(query, words, found, token)
  local function list(limit)
    return drafts.list { status = query.status, waiting = query.waiting, limit = limit,
      page_token = token }
  end
  local some, more = list(PAGE)
  if not some then return nil, more end
  for i, draft in ipairs(some) do
    if has_all(draft, words) then found[#found + 1] = draft end
    if #found == query.limit and i < #some then
      some, more = list(i)
      return some and i, more
    end
  end
  return #some, more
end

--- Those in which every word is, in whatever field.
---@async
---@param query paraph.store.query  its limit is that of what is found
---@param text string
---@return draft[]? found
---@return string|paraph.err|nil next_page  where to look on
---@return integer? looked_at
function search.drafts(query, text)
  local words, found, looked_at, token = {}, {}, 0, query.page_token
  for word in text:lower():gmatch("%S+") do words[#words + 1] = word end
  repeat
    local n, more = look(query, words, found, token)
    if not n then return nil, more end
    looked_at, token = looked_at + n, more
    task.sleep(0)
  until not token or looked_at >= LOOKED_AT or #found >= query.limit
  return found, token, looked_at
end

return search
