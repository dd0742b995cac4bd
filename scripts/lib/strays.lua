--- Strays: drafts in a mailbox that no document names, since whoever made one came to his end
--- before he wrote it down, or never had an answer. Nobody sends them.

local config = require "paraph.config"
local drafts = require "lib.drafts"
local lease = require "lib.lease"
local mail = require "paraph.mail"
local store = require "paraph.store"
local sweep = require "lib.sweep"
local time = require "paraph.time"

local strays = {}

local COLLECTION = config.draft_collection .. "_strays"

--- There may be strays of this draft, now or in a moment: the sweep looks for them when a request
--- that is still under way has surely ended.
---@async
---@param id string       of the draft
---@param sender string   bare address
---@return true? ok
---@return paraph.err? err
function strays.expect(id, sender)
  local members = { sender = sender, created_at = time.now() }
  local ok, err = store.create(COLLECTION, id, members)
  if not ok and err.code == "already_exists" then
    ok, err = store.update(COLLECTION, id, members)
    if not ok and not err then ok, err = store.create(COLLECTION, id, members) end -- swept just now
  end
  if ok then return true end
  return nil, err
end

--- Only with a claim on the draft, or when it cannot be claimed any more: who made one cannot write
--- it down then. But whoever has taken that claim over makes a draft of his own: the write before
--- the deletes proves that nobody had, when these were found.
---@async
---@param id string
---@param sender string
---@param held? paraph.claim
---@return true? ok
---@return paraph.err? err
function strays.remove(id, sender, held)
  local found, err = mail.drafts_of(id, sender)
  if not found then return nil, err end
  if held and #found > 0 then
    local ok, failure = held:note { sending_since = time.now() }
    if not ok then return nil, failure or { code = "conflict", message = "the draft is gone" } end
  end
  for _, stray in ipairs(found) do
    local deleted
    deleted, err = mail.draft_delete(stray)
    if deleted == nil then return nil, err end
  end
  return true
end

--- Under a claim, which leaves the draft as it was. Nobody has asked to send it: who takes this
--- claim over finds it withdrawn.
local function remove_claimed(draft, sender)
  local held = store.claim(config.draft_collection, draft.id, draft.version,
    { withdrawing = true })
  if not held then return false end
  local ok = strays.remove(draft.id, sender, held)
  held:finish("pending", {}, { remove = { "sending_since", "withdrawing" } })
  return ok
end

local function finish(row)
  if not lease.is_over(row.document.created_at) then return end
  local draft, err = drafts.load(row.id)
  if not draft and err.code ~= "draft_not_found" then return end
  local status = draft and draft.document.status
  local ok
  if status == "sending" then
    return -- whoever is sending it may be about to write his own one down
  elseif status == "pending" then
    ok = remove_claimed(draft, row.document.sender)
  else
    ok = strays.remove(row.id, row.document.sender)
  end
  if ok then store.delete(COLLECTION, row.id, { version = row.version }) end
end

--- Remove those that were expected long enough ago.
---@async
function strays.sweep()
  sweep(COLLECTION, nil, finish)
end

return strays
