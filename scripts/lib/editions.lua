--- The editions of a draft: what its message was before each change of it.
---
--- They are kept beside the drafts, one document each, numbered from 0; the latest is the draft
--- itself. The message is kept as JSON: what other programs have put into a draft may be deeper, or
--- of other types, than could be written into one document more. The contents of attachments are
--- not kept, only their names and sizes.

local config = require "paraph.config"
local json = require "paraph.json"
local message = require "lib.message"
local store = require "paraph.store"
local task = require "paraph.task"

local editions = {}

local collection = config.draft_collection .. "_editions"

local MOST = 50 -- that are shown

---@class edition
---@field number integer
---@field at string                   when it was written
---@field by string                   by whom
---@field document paraph.document    the message, as it was stored

local function text_of(value)
  return type(value) == "string" and value or ""
end

--- Which edition a draft is.
---@param document paraph.document
---@return integer
function editions.number(document)
  return math.max(0, math.tointeger(document.edition) or 0)
end

--- The latest edition: the draft as it is.
---@param document paraph.document
---@return edition
function editions.latest(document)
  local editors = type(document.edited_by) == "table" and document.edited_by or {}
  return {
    number = editions.number(document),
    at = text_of(document.edited_at or document.created_at),
    by = text_of(editors[#editors] or document.created_by),
    document = message.posted(document),
  }
end

local function id_of(draft, number)
  return ("%s-%d"):format(draft.id, number)
end

--- Keep what a draft says now, before it is changed. Whoever changes the same edition at the same
--- time keeps the same.
---@async
---@param draft draft
---@return true? ok
---@return paraph.err? err
function editions.keep(draft)
  local latest = editions.latest(draft.document)
  local id = id_of(draft, latest.number)
  local version, err = store.create(collection, id,
    { written = json.encode(latest.document), by = latest.by, created_at = latest.at })
  if version or err.code == "already_exists" then return true end
  return nil, err
end

--- One that was kept; nil alone if there is none.
---@async
---@param draft draft
---@param number integer
---@return edition?
---@return paraph.err? err
function editions.load(draft, number)
  if number == editions.number(draft.document) then return editions.latest(draft.document) end
  local kept, err = store.get(collection, id_of(draft, number))
  if not kept then return nil, type(err) == "table" and err or nil end
  local document = json.decode(text_of(kept.written))
  return { number = number, at = text_of(kept.created_at), by = text_of(kept.by),
    document = type(document) == "table" and document or {} }
end

--- All there are, the oldest first; of very many the last.
---@async
---@param draft draft
---@return edition[]? found
---@return paraph.err? err
function editions.all(draft)
  local latest = editions.number(draft.document)
  local loads, found = {}, {}
  for number = math.max(0, latest - MOST), latest do
    loads[#loads + 1] = function() return editions.load(draft, number) end
  end
  local results, err = task.all(loads)
  if not results then return nil, err end
  for _, result in ipairs(results) do
    if result[2] then return nil, result[2] end
    found[#found + 1] = result[1]
  end
  return found
end

return editions
