--- The OpenAPI 3.1 description of the service: of every route of routes.lua that this ROLE serves,
--- but for the pages for people, with what `api/description.lua` says of its handler. A route whose
--- handler is not described has what routes.lua says, and no more.

local config = require "paraph.config"
local description = require "api.description"
local errors = require "paraph.errors"
local json = require "paraph.json"
local policy = require "paraph.policy"
local schema = require "lib.schema"

local openapi = {}

local VERSION = "3.1.1"

local ABOUT = [[
An e-mail gateway: messages are posted as drafts, people review them, and what is approved leaves
through the mailbox.

Every answer has an `X-Request-Id`. Every error is an `Error`: its `code` is a word for programs,
from a closed list, and `error` a sentence for people. HEAD is answered wherever GET is; another
method is 405 with `Allow`, another path 404. Answers may gain members: pass over those you do not
know.]]

for _, name in ipairs { "handlers", "codes", "usual", "schemas", "events", "event_data" } do
  assert(description[name], "api/description.lua: returns no table with the member " .. name)
end

-- --- schemas -------------------------------------------------------------------------------------

local function copied(members)
  local copy = {}
  for name, value in pairs(members) do copy[name] = value end
  return copy
end

local function contains(list, value)
  for _, item in ipairs(list or {}) do
    if item == value then return true end
  end
  return false
end

local function with(list, value)
  local longer = type(list) == "table" and copied(list) or { list }
  longer[#longer + 1] = value
  return longer
end

--- null in place of a member stands for its absence.
local function allow_null(member)
  member.type = with(member.type, "null")
  if member.enum then member.enum = with(member.enum, json.null) end
end

--- A schema as others read it: formats of our own as patterns, and in a request what lib/schema.lua
--- makes of null and of unknown members.
---@param wanted schema
---@param is_request? boolean
---@return table
local function published(wanted, is_request)
  local out = copied(wanted)
  local pattern = schema.pattern(wanted.format)
  if pattern then out.format, out.pattern = nil, pattern end
  if wanted.items then out.items = published(wanted.items, is_request) end
  if wanted.oneOf then
    out.oneOf = {}
    for i, alternative in ipairs(wanted.oneOf) do out.oneOf[i] = published(alternative) end
  end
  if not wanted.properties then return out end
  out.properties = {}
  for name, property in pairs(wanted.properties) do
    local member = published(property, is_request)
    if is_request and not contains(wanted.required, name) then allow_null(member) end
    out.properties[name] = member
  end
  if is_request then out.additionalProperties = false end
  return out
end

-- --- who may call --------------------------------------------------------------------------------

--- By the methods of AUTH; `none` asks for nothing.
local SCHEMES = {
  key = {
    key = { type = "http", scheme = "bearer", description = "An API key." },
    key_header = { type = "apiKey", ["in"] = "header", name = "X-API-Key",
      description = "An API key." },
  },
  google = {
    google = { type = "http", scheme = "bearer", bearerFormat = "JWT",
      description = "An OIDC ID token that Google has signed." },
  },
  iap = {
    iap = { type = "apiKey", ["in"] = "header", name = "X-Goog-IAP-JWT-Assertion",
      description = "What Identity-Aware Proxy puts in; callers sign in there." },
  },
  iam = {
    iam = { type = "http", scheme = "bearer", bearerFormat = "JWT",
      description = "An OIDC ID token that Cloud Run checks before the service is asked." },
  },
}

local function schemes()
  local all = {}
  for _, method in ipairs(config.auth) do
    for name, scheme in pairs(SCHEMES[method] or {}) do all[name] = scheme end
  end
  return all
end

--- Alternatives: any scheme, with any of the roles.
local function security_of(access)
  local alternatives = setmetatable({}, json.array_mt)
  if access == "public" then return alternatives end
  for _, role in ipairs(type(access) == "table" and access or { access }) do
    for name in pairs(schemes()) do alternatives[#alternatives + 1] = { [name] = { role } } end
  end
  if contains(config.auth, "none") then alternatives[#alternatives + 1] = {} end
  table.sort(alternatives, function(a, b) return json.encode(a) < json.encode(b) end)
  return alternatives
end

-- --- answers -------------------------------------------------------------------------------------

local function header(name)
  return { ["$ref"] = "#/components/headers/" .. name }
end

local HEADERS = {
  ["X-Request-Id"] = { required = true, schema = { type = "string" },
    description = "The request's own, if it sent a sane one." },
  ["Retry-After"] = { schema = { type = "integer", minimum = 1 },
    description = "Seconds after which to try again." },
  ["Idempotency-Replayed"] = { schema = { type = "string", enum = { "true" } },
    description = "This answer was given before, under this key." },
  ["WWW-Authenticate"] = { required = true, schema = { type = "string" } },
  ["ETag"] = { required = true, schema = { type = "string" } },
}

local function with_headers(answer, ...)
  answer.headers = { ["X-Request-Id"] = header "X-Request-Id" }
  for _, name in ipairs { ... } do answer.headers[name] = header(name) end
  return answer
end

--- The answer for these codes, which have one status.
local function error_answer(status, codes)
  table.sort(codes)
  local meanings = {}
  for i, code in ipairs(codes) do
    meanings[i] = ("`%s`: %s."):format(code, description.codes[code])
  end
  local answer = {
    description = table.concat(meanings, " "),
    content = { ["application/json"] = { schema = {
      ["$ref"] = "#/components/schemas/Error", properties = { code = { enum = codes } },
    } } },
  }
  if status == 401 then return with_headers(answer, "WWW-Authenticate") end
  if status == 429 or status >= 502 then return with_headers(answer, "Retry-After") end
  return with_headers(answer)
end

--- The codes by their status, each once.
local function by_status(lists)
  local statuses, found, seen = errors.statuses(), {}, {}
  for _, codes in ipairs(lists) do
    for _, code in ipairs(codes) do
      local status = statuses[code] or error(("there is no code '%s'"):format(code), 0)
      found[status] = found[status] or {}
      if not seen[code] then table.insert(found[status], code) end
      seen[code] = true
    end
  end
  return found
end

local function success(described)
  local content = described.type and { [described.type] = {} }
    or { ["application/json"] = { schema = published(described.answer) } }
  local answer = { description = described.summary, content = content }
  if described.replays then return with_headers(answer, "Idempotency-Replayed") end
  if described.conditional then return with_headers(answer, "ETag") end
  return with_headers(answer)
end

local function answers_of(route, described)
  local answers, usual = { ["200"] = success(described) }, description.usual
  if described.conditional then
    answers["304"] = with_headers({ description = "It is what `If-None-Match` says." }, "ETag")
  end
  local lists = { described.errors or {}, usual.any }
  if route.access ~= "public" then lists[#lists + 1] = usual.role end
  if described.request then lists[#lists + 1] = usual.body end
  for status, codes in pairs(by_status(lists)) do
    answers[tostring(status)] = error_answer(status, codes)
  end
  return answers
end

-- --- operations ----------------------------------------------------------------------------------

local function parameter(place, name, wanted, is_required)
  return { name = name, ["in"] = place, required = is_required or nil,
    schema = published(wanted) }
end

--- What an object schema has as parameters, in order.
local function add_parameters(parameters, place, members)
  local names = {}
  for name in pairs(members or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    parameters[#parameters + 1] = parameter(place, name, members[name])
  end
end

local function parameters_of(route, described)
  local parameters = setmetatable({}, json.array_mt)
  for name in route[2]:gmatch("{([^}]*)}") do
    local wanted = described.params and described.params[name] or { type = "string" }
    parameters[#parameters + 1] = parameter("path", name, wanted, true)
  end
  add_parameters(parameters, "query", described.query and described.query.properties)
  add_parameters(parameters, "header", described.headers)
  if described.conditional then
    parameters[#parameters + 1] = parameter("header", "If-None-Match", { type = "string" })
  end
  parameters[#parameters + 1] = { ["$ref"] = "#/components/parameters/RequestId" }
  return parameters
end

local function body_of(described)
  if not described.request then return nil end
  return {
    required = not described.optional,
    content = { ["application/json"] = {
      schema = published(described.request, true), example = described.example,
    } },
  }
end

local UNDESCRIBED = { default = { description = "This route is the operator's own, and is not "
  .. "described (`api/description.lua`)." } }

local function operation_of(route)
  local described = description.handlers[route.handler]
  return {
    operationId = described and described.id,
    summary = described and described.summary,
    description = described and described.about,
    parameters = parameters_of(route, described or {}),
    requestBody = described and body_of(described),
    responses = described and answers_of(route, described) or UNDESCRIBED,
    security = security_of(route.access),
    ["x-deadline-seconds"] = route.deadline or config.request_timeout,
  }
end

-- --- webhooks ------------------------------------------------------------------------------------

local SIGNED = {
  ["webhook-id"] = "That of the event, however often it is posted.",
  ["webhook-timestamp"] = "Seconds since 1970.",
  ["webhook-signature"] = "As Standard Webhooks has it.",
}

local function event_parameters()
  local parameters = {}
  for name, what in pairs(SIGNED) do
    parameters[#parameters + 1] = { name = name, ["in"] = "header", required = true,
      description = what, schema = { type = "string" } }
  end
  table.sort(parameters, function(a, b) return a.name < b.name end)
  return parameters
end

local function event_body(event)
  return { type = "object", required = { "type", "timestamp", "data" }, properties = {
    type = { type = "string", enum = { event } },
    timestamp = { type = "string", format = "date-time" },
    data = published(description.event_data),
  } }
end

--- What is posted to the endpoints of WEBHOOK_URL.
local function events()
  local all = {}
  for event, about in pairs(description.events) do
    all[event] = { post = {
      operationId = "on" .. event:gsub("%.?(%a+)", function(word)
        return word:sub(1, 1):upper() .. word:sub(2)
      end),
      summary = about, parameters = event_parameters(),
      requestBody = { required = true,
        content = { ["application/json"] = { schema = event_body(event) } } },
      responses = {
        ["2XX"] = { description = "It is taken." },
        ["410"] = { description = "It is never posted again." },
        default = { description = "It is posted again, later." },
      },
    } }
  end
  return all
end

-- --- the whole -----------------------------------------------------------------------------------

--- Is its handler written in pages/, or made by what pages share?
local function is_page(route)
  local file = policy.where(route.handler):match("^[^:]*")
  return file:find("^pages/") ~= nil or file == "lib/page.lua"
end

local function is_served(route)
  local serve = route.serve or "gateway"
  return config.role == "all" or serve == "all" or serve == config.role
end

local function paths()
  local all = {}
  for _, route in ipairs(require "routes") do
    if is_served(route) and not is_page(route) then
      all[route[2]] = all[route[2]] or {}
      all[route[2]][route[1]:lower()] = operation_of(route)
    end
  end
  return all
end

--- Those that routes share; the code of an error is one of the closed list.
local function schemas()
  local all = {}
  for name, wanted in pairs(description.schemas) do all[name] = published(wanted) end
  local codes = {}
  for code in pairs(errors.statuses()) do codes[#codes + 1] = code end
  table.sort(codes)
  all.Error.properties.code.enum = codes
  return all
end

--- The description as JSON.
---@return string
function openapi.text()
  return json.encode {
    openapi = VERSION,
    info = { title = "paraph", version = config.version, description = ABOUT },
    paths = paths(),
    webhooks = events(),
    components = {
      schemas = schemas(),
      headers = HEADERS,
      parameters = { RequestId = { name = "X-Request-Id", ["in"] = "header",
        schema = { type = "string" }, description = "Comes back with the answer, and is in the "
          .. "log." } },
      securitySchemes = schemes(),
    },
  }
end

return openapi
