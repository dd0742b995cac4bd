--- Telling other programs what happens: events, posted to the endpoints of WEBHOOK_URL, signed.
---
--- An event is a document of an outbox, written together with what it tells of: there is never one
--- without the other. Each endpoint has an outbox and a job of its own, so that none waits for
--- another. Whoever is about to deliver an event first pushes its `due_at` ahead, so that nobody
--- else does meanwhile; what is delivered is deleted. That may fail after a delivery, so receivers
--- drop what comes twice, by its id.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local jobs = require "paraph.jobs"
local json = require "paraph.json"
local log = require "paraph.log"
local metrics = require "paraph.metrics"
local store = require "paraph.store"
local task = require "paraph.task"
local time = require "paraph.time"
local webhook = require "paraph.webhook"

local webhooks = {}

--- The members of a draft that are told. A large one is not, since an event must never be too large
--- for the store: it would take with it what it is written with.
local TOLD = { "message_id", "thread_id", "pixel_id", "to", "subject", "held", "error",
  "reject_reason", "metadata", "trace_id" }
local MEMBER_MAX = 32768 -- bytes of JSON

local RETRY_S = { 5, 30, 120, 600, 1800, 3600 } -- after each attempt; from then on, the last
local RETRY_AFTER_MAX_S = 3600
local KEPT_S = 3 * 24 * 60 * 60
local PAUSE_MAX_S = 2 * RETRY_AFTER_MAX_S -- none is as long
local LEASE_S = 30 -- longer than an attempt and its writes
local PAGE = 48
local AT_ONCE = 8 -- attempts of one endpoint; a whole number of them is a page

local TELL_ATTEMPTS = 3
local TELL_PAUSE_MS = 50

---@param n integer   of an endpoint
local function outbox(n)
  return config.draft_collection .. "_webhooks" .. (n > 1 and "_" .. n or "")
end

local function now_s()
  return time.parse(time.now())
end

-- --- events --------------------------------------------------------------------------------------

local function is_wanted(event)
  return config.webhooks > 0 and config.webhook_events[event]
end

--- One event, in each outbox.
---@return paraph.store.companion[]
local function companions(event, id, data)
  local now, list = time.now(), {}
  local body = json.encode { type = event, timestamp = now, data = data }
  for n = 1, config.webhooks do
    list[n] = { collection = outbox(n), id = id,
      document = { type = event, created_at = now, due_at = now, attempts = 0, body = body,
        trace_id = data.trace_id } }
  end
  return list
end

local function data_of(document, changes)
  local data = {}
  for _, name in ipairs(TOLD) do
    local value = changes[name] or document[name]
    if value and json.measure(value) > MEMBER_MAX then
      data.omitted = data.omitted or {}
      data.omitted[#data.omitted + 1] = name
    else
      data[name] = value
    end
  end
  return data
end

--- An event of a draft, to be written with it (option `with` of paraph.store); nil: nobody wants
--- it. The same event has the same id, however often it is written; a send may fail several times.
---@param event? string             nil: there is none
---@param id string
---@param document paraph.document  as it is, or was before these changes
---@param changes? paraph.document
---@param status? string            of the draft from now on, if it is not the document's
---@return paraph.store.companion[]?
function webhooks.of_draft(event, id, document, changes, status)
  if not event or not is_wanted(event) then return nil end
  local data = data_of(document, changes or {})
  data.draft_id, data.status = id, status or document.status
  if event == "sent" then data.error = nil end -- of an earlier attempt
  return companions(event, event == "send.failed" and crypto.uuid4() or crypto.uuid5(id, event),
    data)
end

--- The kinds of opens that somebody stands behind.
local SEEN = { person = true, proxy = true }

--- The event of an open, the first of its kind: so many that nobody can flood an outbox by asking
--- for a pixel.
---@param pixel_id string
---@param document paraph.document   of the pixel, before this open
---@param kind open_kind
---@return paraph.store.companion[]?
function webhooks.of_open(pixel_id, document, kind)
  if not SEEN[kind] or document["opens_" .. kind] or not is_wanted("opened") then return nil end
  local data = data_of(document, { pixel_id = pixel_id })
  data.kind, data.draft_id = kind, document.draft_id
  return companions("opened", crypto.uuid5(pixel_id, "opened " .. kind), data)
end

--- These events have been written: deliver them now.
---@param written? paraph.store.companion[]
function webhooks.wake(written)
  for n = 1, written and config.webhooks or 0 do jobs.wake(webhooks.job(n), 0) end
end

local function create(companion)
  local ok, err
  for attempt = 1, TELL_ATTEMPTS do
    ok, err = store.create(companion.collection, companion.id, companion.document)
    if ok or err.code == "already_exists" then return end
    if attempt < TELL_ATTEMPTS then task.sleep(TELL_PAUSE_MS << (attempt - 1)) end
  end
  log.error("webhook event lost", { event = companion.document.type, error = err.message })
end

--- The event of a send that is no draft: of it nothing else is written down.
---@async
---@param event "sent"|"send.failed"
---@param document paraph.document
---@param changes table             what has become of it; `unknown`: it may have left all the same
function webhooks.tell(event, document, changes)
  if not is_wanted(event) then return end
  local data = data_of(document, changes)
  data.unknown = changes.unknown
  local written = companions(event, crypto.uuid4(), data)
  for _, companion in ipairs(written) do create(companion) end
  webhooks.wake(written)
end

-- --- delivery ------------------------------------------------------------------------------------

--- The job that delivers what is for an endpoint.
---@param n integer
---@return string
function webhooks.job(n)
  return "webhooks " .. n
end

local OUTCOMES = {
  delivered = { log.debug, "webhook delivered" },
  retried = { log.warning, "webhook not delivered" },
  dropped = { log.error, "webhook event dropped" },
}

--- Tell what has come of an event, among what is told of its mail.
local function report(outcome, n, row, fields)
  local event = tostring(row.document.type)
  metrics.count("paraph_webhooks_total", { event = event, outcome = outcome })
  fields.event, fields.webhook_id, fields.endpoint = event, row.id, webhook.origin(n)
  log.mail(row.document.trace_id)
  OUTCOMES[outcome][1](OUTCOMES[outcome][2], fields)
  log.mail(nil)
end

local function delete(n, row)
  local ok, err = store.delete(outbox(n), row.id)
  if not ok then
    log.warning("webhook event left behind: it comes twice",
      { webhook_id = row.id, error = err.message })
  end
end

local function drop(n, row, why)
  report("dropped", n, row, { error = why })
  delete(n, row)
end

--- Seconds since an event happened.
local function age_of(row)
  local created = type(row.document.created_at) == "string" and time.parse(row.document.created_at)
  return created and now_s() - created or math.huge
end

--- Seconds until an event is due. A pause longer than there are any is of a clock that has been set
--- back since, and nothing to wait for.
local function left_of(row)
  local due = type(row.document.due_at) == "string" and time.parse(row.document.due_at)
  local left = due and due - now_s() or 0
  return left <= PAUSE_MAX_S and math.max(0, left) or 0
end

--- Seconds for which an endpoint wants to be left alone; nil: it does not say.
local function asked_by(reply)
  local text = reply and reply.headers["retry-after"] or ""
  local date = time.parse_http(text)
  return date and date - now_s() or tonumber(text:match("^%d+$"))
end

--- Seconds until the next attempt: many that failed together do not come back together.
local function delay_after(attempt, reply)
  local seconds = RETRY_S[math.min(attempt, #RETRY_S)] * (0.9 + 0.2 * math.random())
  local asked = asked_by(reply)
  return asked and math.max(seconds, math.min(asked, RETRY_AFTER_MAX_S)) or seconds
end

--- It was not taken. When it is tried again, in seconds; nil: it is not.
local function put_off(n, row, version, attempt, reply, why)
  if reply and reply.status == 410 then return drop(n, row, "the endpoint is gone (410)") end
  local delay = delay_after(attempt, reply)
  if age_of(row) + delay > KEPT_S then
    return drop(n, row, ("%s; that was attempt %d, and the last"):format(why, attempt))
  end
  report("retried", n, row, { error = why, attempt = attempt, again_in = math.ceil(delay) })
  local ok = store.update(outbox(n), row.id, { due_at = time.format(now_s() + delay) },
    { version = version })
  return ok and delay or LEASE_S
end

--- Try to deliver an event.
---@return boolean answered  somebody is there
---@return number? again     seconds until the next attempt
local function attempt_one(n, row)
  local attempt = (math.tointeger(row.document.attempts) or 0) + 1
  local version = store.update(outbox(n), row.id,
    { attempts = attempt, due_at = time.format(now_s() + LEASE_S) }, { version = row.version })
  if not version then return true end -- somebody else delivers it
  local reply, err = webhook.post(n, row.id, tostring(row.document.body))
  if not reply then return false, put_off(n, row, version, attempt, nil, err.message) end
  if reply.status >= 200 and reply.status < 300 then
    delete(n, row)
    report("delivered", n, row, { attempt = attempt })
    return true
  end
  return true, put_off(n, row, version, attempt, reply, ("status %d"):format(reply.status))
end

--- Try these at the same time.
---@return boolean answered  not by silence alone
---@return number soonest    seconds until one of them is tried again
local function attempt_all(n, rows)
  local attempts, answered, soonest = {}, #rows == 0, math.huge
  for i, row in ipairs(rows) do
    attempts[i] = function()
      local there, again = attempt_one(n, row)
      answered, soonest = answered or there, math.min(soonest, again or math.huge)
    end
  end
  task.all(attempts)
  return answered, soonest
end

--- Try what is due of a page; as of attempt_all.
local function attempt_page(n, rows)
  local due, soonest = {}, math.huge
  for _, row in ipairs(rows) do
    local left = left_of(row)
    if left > 0 then soonest = math.min(soonest, left) else due[#due + 1] = row end
  end
  for first = 1, #due, AT_ONCE do
    local answered, again = attempt_all(n, table.move(due, first, first + AT_ONCE - 1, 1, {}))
    soonest = math.min(soonest, again)
    if not answered then return false, soonest end
  end
  return true, soonest
end

--- What is too old is dropped even where nobody gets to it, since its endpoint does not answer.
local function drop_old(n)
  local before = time.format(now_s() - KEPT_S)
  local page = store.query(outbox(n), { before = before, limit = PAGE })
  for _, row in ipairs(page and page.documents or {}) do drop(n, row, "nobody has answered") end
end

local WAITING_MAX = 10000
local waiting = {} -- in each outbox, as far as it has been counted

local function count_waiting(n)
  local sum = 0
  waiting[n] = store.count(outbox(n), { most = WAITING_MAX }) or waiting[n]
  for _, events in pairs(waiting) do sum = sum + events end
  metrics.set("paraph_webhooks_waiting", sum)
end

--- Deliver what is due to an endpoint, all of it, unless nobody answers there.
---@async
---@param n integer
function webhooks.deliver(n)
  local query, soonest = { limit = PAGE }, math.huge
  repeat
    local page, err = store.query(outbox(n), query)
    if not page then
      log.warning("webhook events not looked for", { error = err.message })
      return
    end
    local answered, again = attempt_page(n, page.documents)
    soonest = math.min(soonest, again)
    query.page_token = answered and page.next_page_token or nil
    if not answered then drop_old(n) end
  until not query.page_token
  count_waiting(n)
  if soonest < 60 then jobs.wake(webhooks.job(n), math.ceil(soonest * 1000)) end
end

return webhooks
