--- Tokens for forms: a post without the one that its page was given was not made on a page of
--- ours.
---
--- Browsers say where a post comes from, and the host refuses what comes from elsewhere
--- (SECURITY.md); this is the second line. A token is bound to who the page was for, by a secret
--- that all instances share through the store.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local fail = require "lib.fail"
local store = require "paraph.store"
local time = require "paraph.time"

local csrf = {}

local collection = config.draft_collection .. "_secrets"
local ID = "forms"

local secret -- once it is known

local function read()
  local record, err = store.get(collection, ID)
  if not record then return nil, type(err) == "table" and err or nil end
  return type(record.secret) == "string" and record.secret or nil
end

--- The secret, made by whoever needs it first.
---@return string? secret
---@return paraph.err? err
local function load()
  local found, err = read()
  if found or err then return found, err end
  local made = crypto.uuid4() .. crypto.uuid4()
  local version
  version, err = store.create(collection, ID, { secret = made, created_at = time.now() })
  if version then return made end
  if err.code ~= "already_exists" then return nil, err end
  return read()
end

--- The token of a caller.
---@async
---@param caller paraph.caller
---@return string? token
---@return paraph.err? err
function csrf.token(caller)
  local err
  if not secret then secret, err = load() end
  if err then return nil, err end
  if not secret then return fail("store_error", "the store has lost the secret of the forms") end
  return crypto.hmac_sha256(secret, caller.method .. "\0" .. caller.name)
end

--- Was this form on a page that was made for this caller?
---@async
---@param caller paraph.caller
---@param token any
---@return true? ok
---@return paraph.err? err   `forbidden`, with err.is_stale_form
function csrf.check(caller, token)
  local wanted, err = csrf.token(caller)
  if not wanted then return nil, err end
  if type(token) == "string" and crypto.equal(token, wanted) then return true end
  local refusal =
    select(2, fail("forbidden", "this form was not on a page for you; open the page again"))
  refusal.is_stale_form = true
  return nil, refusal
end

return csrf
