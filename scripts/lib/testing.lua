--- The world of a test: a store, a mailbox and a clock of its own, which it sets up, asks and
--- looks into. `require "paraph.testing"` gives this module, in tests alone.

local config = require "paraph.config"
local crypto = require "paraph.crypto"
local json = require "paraph.json"
local mime = require "lib.mime"
local serve = require "paraph.serve"
local store = require "paraph.store"
local time = require "paraph.time"

---@class paraph.testing
local testing = require "paraph.testing"

-- --- tests by name -------------------------------------------------------------------------------

---@alias test fun()
---@alias tests table<string, test|tests>

--- One test for each row, which `check` is given: a group for a table of tests. A row is named by
--- its `name`, else by its number.
---@generic row: table
---@param rows row[]
---@param check fun(row: row)
---@return tests
function testing.cases(rows, check)
  local group = {}
  local width = #tostring(#rows)
  for i, row in ipairs(rows) do
    local name = row.name or ("row %0" .. width .. "d"):format(i)
    if group[name] then error(("two rows are named %q"):format(name), 2) end
    group[name] = function() check(row) end
  end
  return group
end

local function add(list, prefix, tests)
  for name, test in pairs(tests) do
    if type(name) ~= "string" then
      error(("%sa test without a name (number %s)"):format(prefix, tostring(name)), 0)
    elseif type(test) == "table" then
      add(list, prefix .. name .. ": ", test)
    elseif type(test) == "function" then
      list[#list + 1] = { name = prefix .. name, run = test }
    else
      error(("%s%s: a test is a function, or a table of tests"):format(prefix, name), 0)
    end
  end
  return list
end

--- The tests of a file in the order in which they are run: for the runner.
---@param tests tests
---@return { name: string, run: test }[]
function testing.list(tests)
  local list = add({}, "", tests)
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- --- the world -----------------------------------------------------------------------------------

local collections = { drafts = config.draft_collection, pixels = config.pixel_collection }

--- A message that was sent, or waits as a draft of the mailbox; but for `to`, as its bytes say.
---@class letter_sent
---@field to string[]        bare addresses of To, Cc and Bcc
---@field from string        as the header has it
---@field subject string
---@field text? string       the text part
---@field html? string       the HTML part
---@field headers table<string, string>   by names in lower case, decoded
---@field parts table[]      all parts: { type, filename?, body }
---@field bytes paraph.blob
---@field id string          of the message, or of the draft
---@field thread_id string
---@field key string         X-Paraph-Id: the id of the draft in the store

---@class world
---@field sent letter_sent[]     what has left, the first first
---@field fetch? fun(request: paraph.fetch_request): table?, paraph.err?  answers paraph.fetch with
---                              { status, headers?, body? }, or nil and an error
local World = {}

local world -- the one of the test under way

local function text_of(part)
  return part and part:text()
end

--- What tests look at.
local function read_letter(bytes)
  local read, parts = mime.read(bytes), {}
  for i, part in ipairs(read.parts) do
    local content = part:content()
    parts[i] = {
      type = part.type, attached = part.is_attached, filename = part.filename,
      body = type(content) == "string" and content or content:string(64 << 20),
    }
  end
  return {
    from = read.headers.from, subject = read.headers.subject, headers = read.headers,
    parts = parts, text = text_of(read.plain), html = text_of(read.html),
  }
end

local function letters(sent)
  local list = {}
  for _, letter in ipairs(testing.letters()) do
    if letter.sent == sent then
      local read = read_letter(letter.bytes)
      read.to, read.bytes, read.id = letter.to, letter.bytes, letter.id
      read.thread_id, read.key = letter.thread_id, letter.key
      list[#list + 1] = read
    end
  end
  return list
end

local function lookup(_, name)
  if name == "sent" then return letters(true) end
  return World[name]
end

local replaced = {} -- members of paraph.config, as they were

local function restore_config()
  for name, value in pairs(replaced) do config[name] = value.value end
  replaced = {}
end

local function set_config(changes)
  for name, value in pairs(changes) do
    replaced[name] = replaced[name] or { value = config[name] }
    config[name] = value
  end
  testing.set_no_send(config.no_send)
end

--- A fresh world: nothing is stored, nothing was sent. Each test begins with one, so that only who
--- sets it up or looks into it needs to ask.
---@param options? { now?: string, config?: table<string, any>, fetch?: function }
---@return world
function testing.world(options)
  options = options or {}
  for name in pairs(options) do
    if name ~= "now" and name ~= "config" and name ~= "fetch" then
      error(("a world has no option '%s'"):format(name), 2)
    end
  end
  testing.refresh()
  restore_config()
  if options.now then testing.set_now(options.now) end
  set_config(options.config or {})
  world = setmetatable({ fetch = options.fetch }, { __index = lookup })
  return world
end

--- What came before is forgotten: for the runner.
function testing.begin()
  if testing.is_scratch() then testing.refresh() end
  restore_config()
  world = nil
end

--- Now, as the scripts see it.
---@return string
function World.now()
  return time.now()
end

---@param seconds number
function World.advance(seconds)
  testing.advance(seconds)
end

---@param now string   RFC 3339
function World.set_now(now)
  testing.set_now(now)
end

--- Store a document, whatever was there. "drafts" and "pixels" are the collections of the service.
---@param collection string
---@param id string
---@param document paraph.document
function World.put(collection, id, document)
  collection = collections[collection] or collection
  assert(store.delete(collection, id))
  assert(store.create(collection, id, document))
end

---@param collection string
---@param id string
---@return paraph.document?
function World.get(collection, id)
  local document, err = store.get(collections[collection] or collection, id)
  if type(err) == "table" then error(err.message, 2) end
  return document
end

--- All documents of a collection, by their ids.
---@param collection string
---@return table<string, paraph.document>
function World.all(collection)
  local found, query = {}, { limit = 200 }
  repeat
    local page = assert(store.query(collections[collection] or collection, query))
    for _, row in ipairs(page.documents) do found[row.id] = row.document end
    query.page_token = page.next_page_token
  until not query.page_token
  return found
end

--- The drafts that wait in the mailbox.
---@return letter_sent[]
function World.drafts()
  return letters(false)
end

local function fail_next(part, code, message, options)
  local err = { code = code, message = message }
  for name, value in pairs(options or {}) do err[name] = value end
  testing.fail_next(part, err, err.on)
end

--- How a call fails. `on`: the next call of this function of paraph.mail or paraph.store, else the
--- next of any. `unknown`: the mail may have left all the same. `happened`: it was done, but the
--- answer is lost.
---@class failure_options
---@field on? string
---@field unknown? boolean
---@field happened? boolean
---@field retry_after? integer
---@field field? string

--- Let the next call of paraph.mail fail.
---@param code string
---@param message string
---@param options? failure_options
function World.mail_fails(code, message, options)
  fail_next("mail", code, message, options)
end

--- Let the next call of paraph.store fail.
---@param code string
---@param message string
---@param options? failure_options
function World.store_fails(code, message, options)
  fail_next("store", code, message, options)
end

-- --- requests ------------------------------------------------------------------------------------

local function body_of(body, headers)
  if body == nil then return nil end
  if type(body) ~= "table" then return type(body) == "string" and testing.blob(body) or body end
  headers["content-type"] = headers["content-type"] or "application/json"
  return testing.blob(json.encode(body))
end

--- A request, as the host serves it: route and access are checked, a script that fails is a
--- `policy_error` (`trace` says where), and the route's deadline holds.
---@async
---@param method string
---@param target string   path and query
---@param body? any       a table is sent as JSON, a string or a blob as it is
---@param options? { headers?: table<string, string>, id?: string, remote?: string,
---  caller?: { name?: string, roles?: string[] } }  a caller without roles has those that
---  access.lua gives him
---@return { status: integer, headers: table<string, string>, body: string, json?: any,
---  trace?: string } reply
function World.request(method, target, body, options)
  options = options or {}
  local headers = {}
  for name, value in pairs(options.headers or {}) do headers[name:lower()] = value end
  local caller = options.caller or {}
  local reply, err = serve {
    method = method, target = target, headers = headers, body = body_of(body, headers),
    id = options.id or crypto.uuid4(), remote = options.remote or "127.0.0.1",
    caller = { name = caller.name or "anonymous", method = "none", roles = caller.roles },
  }
  if not reply then error(err.message, 2) end
  reply.body = reply.bytes and reply.bytes:string(64 << 20) or ""
  reply.json = reply.headers["Content-Type"] == "application/json" and json.decode(reply.body)
    or nil
  return reply
end

local function answer(request)
  if not world or not world.fetch then
    return nil, {
      code = "fetch_error", status = 502, sent = false,
      message = ("no test says what %s answers: set world.fetch"):format(
        request.url:gsub("^(%a+://)[^/?#]*@", "%1"):match("^%a+://[^/?#]+")),
    }
  end
  local reply, err = world.fetch(request)
  if not reply then return nil, err end
  local body = reply.body or ""
  return {
    status = reply.status or 200,
    headers = reply.headers or {},
    body = type(body) == "string" and testing.blob(body) or body,
  }
end

if testing.is_scratch() then testing.answers(answer) end

return testing
