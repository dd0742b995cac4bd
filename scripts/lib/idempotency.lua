--- Idempotency-Key: a request that is repeated under its key is carried out once.
---
--- A key is claimed by creating a record of it, the handler runs under the record's operation, and
--- its answer is kept with the record. Whoever comes with the same key meanwhile is `in_progress`;
--- afterwards he gets the answer; and if there never was one (a crash, an error), he goes on with
--- the same operation, so that what the handler stores under the operation's id is found again.
---
--- What is remembered, and why:
---   a success        its answer: the work is done, and must not be done again.
---   a refusal (4xx)  nothing. Nothing was done, so the caller may correct his request and keep the
---                    key; the same request is refused again, for as long as the reason holds.
---   any other error  the operation, and the request it belongs to. What surely did not happen is
---                    tried again, what may have happened is settled first: by what the operation
---                    has stored, never by a second one.
---
--- Requests are the same if their bodies are, byte for byte: a program that repeats a request
--- repeats its bytes. Each caller has keys of his own, and so has each route, so that one name for
--- an order serves for drafting its mail and for sending it.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local expire = require "lib.expire"
local fail = require "lib.fail"
local json = require "paraph.json"
local lease = require "lib.lease"
local log = require "paraph.log"
local store = require "paraph.store"
local time = require "paraph.time"

local idempotency = {}

local HEADER = "Idempotency-Key"
local KEY_MAX = 255
local KEPT_S = 24 * 60 * 60

local collection = config.draft_collection .. "_idempotency"

--- The codes of refusals: the request is at fault, and nothing was done.
local refusals = {
  malformed_json = true, invalid_field = true, unknown_field = true, invalid_recipient = true,
  forbidden = true, refused_by_policy = true, draft_not_found = true, already_sent = true,
  rejected = true, changed_since_review = true, payload_too_large = true,
  unsupported_media_type = true,
}

--- What the attempts under one key have in common.
---@class operation
---@field id string         a UUID
---@field resumed boolean   there was an attempt before, which may have got anywhere

--- As stored. What has expired counts as absent.
---@class idempotency_record
---@field caller string
---@field route string
---@field request_sha256 string
---@field operation_id string
---@field created_at string
---@field expires_at string
---@field running_since? string   somebody is at it
---@field answer? string          JSON: it is done
---@field answer_status? integer

--- The right to carry an operation out, or the answer if that was done.
---@class key_claim
---@field id string
---@field version string
---@field operation operation
---@field answered? idempotency_record

local function has_expired(record)
  return time.parse(record.expires_at) <= time.parse(time.now())
end

--- As check_key() has it.
idempotency.key = { type = "string", minLength = 1, maxLength = KEY_MAX, pattern = "^[ -~]*$" }

local function check_key(key)
  if #key >= 1 and #key <= KEY_MAX and not key:find("[^\x20-\x7E]") then return true end
  return fail("invalid_field",
    ("%s: must be 1 to %d printable ASCII characters"):format(HEADER, KEY_MAX), HEADER)
end

local function in_progress()
  return fail("in_progress", "a request with this Idempotency-Key is under way; ask again later")
end

local function new_record(req)
  local now = time.now()
  return {
    caller = req.caller.name,
    route = req.method .. " " .. req.path,
    request_sha256 = req.body and req.body:sha256() or crypto.sha256(""),
    operation_id = crypto.uuid4(),
    created_at = now,
    expires_at = time.format(time.parse(now) + KEPT_S),
    running_since = now,
  }
end

--- A NUL is in none of the three.
local function record_id(record, key)
  return crypto.sha256(table.concat({ record.caller, record.route, key }, "\0"))
end

--- Take over a record, as whoever is first to write to this version of it.
local function take(id, version, members, removed, operation)
  local taken, err = store.update(collection, id, members, { version = version, remove = removed })
  if taken then return { id = id, version = taken, operation = operation } end
  if not err or err.code == "conflict" then return in_progress() end
  return nil, err
end

--- The key has been used before.
local function meet(id, fresh)
  local record, version = store.get(collection, id)
  if not record then
    if version then return nil, version end
    return in_progress() -- its request was refused just now
  end
  if has_expired(record) and lease.is_over(record.running_since) then
    return take(id, version, fresh, { "answer", "answer_status" },
      { id = fresh.operation_id, resumed = false })
  end
  if record.request_sha256 ~= fresh.request_sha256 then
    return fail("idempotency_conflict",
      "this Idempotency-Key was used for another request; take a new key for a new request")
  end
  if record.answer then return { answered = record } end
  if not lease.is_over(record.running_since) then return in_progress() end
  return take(id, version, { running_since = fresh.running_since }, nil,
    { id = record.operation_id, resumed = true })
end

---@return key_claim?
---@return paraph.err?
local function claim_key(req, key)
  local fresh = new_record(req)
  local id = record_id(fresh, key)
  local version, err = store.create(collection, id, fresh)
  if version then
    return { id = id, version = version,
      operation = { id = fresh.operation_id, resumed = false } }
  end
  if err.code ~= "already_exists" then return nil, err end
  return meet(id, fresh)
end

local function report(ok, err, message)
  if not ok then log.warning(message, { error = err and err.message or "it is gone" }) end
end

--- If this fails, the next attempt finds the answer again, in what the operation has stored.
local function keep_answer(claim, reply)
  local ok, err = store.update(collection, claim.id,
    { answer = json.encode(reply.json), answer_status = reply.status or 200 },
    { version = claim.version, remove = { "running_since" } })
  report(ok, err, "answer not kept under its idempotency key")
end

--- After a refusal the key is free again; but if there was an attempt before this one, which may
--- only have been slow, the key stays with its operation, and waits for the next.
local function let_go(claim, err)
  local ok, failure
  if err and refusals[err.code] and not err.unknown and not claim.operation.resumed then
    ok, failure = store.delete(collection, claim.id, { version = claim.version })
  else
    ok, failure = store.update(collection, claim.id, {},
      { version = claim.version, remove = { "running_since" } })
  end
  report(ok, failure, "idempotency key left in use")
end

local function replay(record)
  return {
    status = record.answer_status,
    type = "application/json",
    body = record.answer,
    headers = { ["Idempotency-Replayed"] = "true" },
  }
end

--- Carry a request out once, if it has an Idempotency-Key; else just carry it out. The handler
--- stores what it does under operation.id, and looks there first if the operation is resumed.
---@async
---@param req paraph.request
---@param handler fun(req: paraph.request, operation?: operation): paraph.reply?, paraph.err?
---@return paraph.reply? reply   with `json`
---@return paraph.err? err       err.unknown of the handler: it may have done its work, or may yet
function idempotency.once(req, handler)
  local key = req.headers[HEADER:lower()]
  if not key then return handler(req) end
  local ok, err = check_key(key)
  if not ok then return nil, err end
  local claim
  claim, err = claim_key(req, key)
  if not claim then return nil, err end
  if claim.answered then return replay(claim.answered) end

  local returned, reply, failure = pcall(handler, req, claim.operation)
  if returned and reply then
    keep_answer(claim, reply)
    return reply
  end
  let_go(claim, failure)
  if not returned then error(reply, 0) end
  return nil, failure
end

--- Remove the records that have expired, so long ago that none of them is in use any more.
---@async
function idempotency.sweep()
  expire(collection, KEPT_S + lease.seconds)
end

return idempotency
