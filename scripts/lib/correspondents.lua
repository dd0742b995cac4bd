--- The domains that mail has left for. A person who reviews wants to know when one is new.
---
--- Each is a document of its own, written once; what this process knows of them it does not ask for
--- again, since nothing takes one away.

local batches = require "lib.batches"
local config = require "paraph.config"
local letter = require "lib.letter"
local log = require "paraph.log"
local store = require "paraph.store"
local time = require "paraph.time"

local correspondents = {}

local collection = config.draft_collection .. "_domains"

local KNOWN_MAX = 10000 -- of them are kept in memory
local AT_ONCE = 50 -- domains

local known, n = {}, 0

local function note(domain)
  if known[domain] or n >= KNOWN_MAX then return end
  known[domain], n = true, n + 1
end

local function remember(domain)
  if known[domain] then return end
  local version, err = store.create(collection, domain, { created_at = time.now() })
  if version or err.code == "already_exists" then
    note(domain)
  else
    log.warning("correspondent not noted", { domain = domain, error = err.message })
  end
end

--- For each of those that are not known to have had mail: a message can name hundreds.
local function for_others(domains, act)
  local others = {}
  for _, domain in ipairs(domains) do
    if not known[domain] then others[#others + 1] = domain end
  end
  batches(others, AT_ONCE, act)
end

--- The message has left.
---@async
---@param document paraph.document
function correspondents.remember(document)
  for_others(letter.domains(document), remember)
end

--- Those of some domains that no mail has left for, as far as can be told.
---@async
---@param domains string[]
---@return table<string, true>
function correspondents.unknown(domains)
  local unknown = {}
  for_others(domains, function(domain)
    local there, err = store.get(collection, domain)
    if there then note(domain) elseif not err then unknown[domain] = true end
  end)
  return unknown
end

return correspondents
