--- Commands that try something: a message, a request, the rules on other drafts, an expression.

local asking = require "prompt.asking"
local failures = require "prompt.failures"
local globals = require "prompt.globals"
local inspect = require "prompt.inspect"
local json = require "paraph.json"
local listing = require "lib.listing"
local replay = require "lib.replay"
local scripts = require "paraph.scripts"
local time = require "paraph.time"

local REPLAYED, REPLAYED_MAX = 100, 1000
local BODY_MAX = 4000 -- bytes of an answer that are shown

-- --- :send ---------------------------------------------------------------------------------------

local function send(rest, host)
  local message, word, text = asking.table_of(rest)
  if not message then return word, text end
  message.mode = message.mode or "send"
  local reply, err = asking.request("POST", "/", json.encode(message), host)
  if not reply then return asking.failed(err) end
  local answer = reply.json
  if reply.trace then return "failed", failures.explain(reply.trace, "") end
  if reply.status ~= 200 then return "failed", listing.failure(answer) end
  globals.env._ = answer.draft_id or answer.id
  if answer.mode == "send" and not host.live then return "shown" end -- told by the session
  return "shown", listing.posted(reply)
end

-- --- :request ------------------------------------------------------------------------------------

local HEADERS = { "Content-Type", "ETag", "Location", "Allow", "Retry-After",
  "Idempotency-Replayed" }

local function shown_reply(reply, host)
  local lines = { tostring(reply.status) }
  for _, name in ipairs(HEADERS) do
    if reply.headers[name] then lines[#lines + 1] = ("%s: %s"):format(name, reply.headers[name]) end
  end
  local bytes = reply.bytes
  if reply.json ~= nil then
    lines[#lines + 1] = inspect.value(reply.json, host.columns)
  elseif bytes and #bytes > BODY_MAX then
    lines[#lines + 1] = ("%s\n… (%d bytes)"):format(bytes:slice(1, BODY_MAX):string(), #bytes)
  elseif bytes then
    lines[#lines + 1] = bytes:string()
  end
  if reply.trace then lines[#lines + 1] = failures.explain(reply.trace, "") end
  return table.concat(lines, "\n")
end

local function request(rest, host)
  local method, target, body = rest:match("^(%u+)%s+(/%S*)%s*(.*)$")
  if not method then return "failed", ":request METHOD PATH [JSON], as in :request GET /drafts" end
  if body ~= "" then
    local value, word, text = asking.table_of(body)
    if not value then return word, text end
    body = json.encode(value)
  end
  local reply, err = asking.request(method, target, body ~= "" and body or nil, host)
  if not reply then return asking.failed(err) end
  globals.env._ = reply.json
  return reply.status < 400 and "shown" or "failed", shown_reply(reply, host)
end

-- --- :replay, :time ------------------------------------------------------------------------------

local function replay_drafts(rest)
  local most = rest == "" and REPLAYED or math.tointeger(tonumber(rest))
  if not most or most < 1 or most > REPLAYED_MAX then
    return "failed", (":replay N, a number from 1 to %d"):format(REPLAYED_MAX)
  end
  local found, err = replay.lines(most)
  if not found then return asking.failed(err) end
  local lines, word = {}, "shown"
  for i, line in ipairs(found) do
    lines[i] = ("%-7s  %s  %s"):format(line[1], line[2], line[3])
    if line[1] == "failed" then word = "failed" end
  end
  return word, table.concat(lines, "\n")
end

local function time_of(rest, host)
  local chunk, why = scripts.compile("return " .. rest, "prompt", globals.env)
  if not chunk then return "failed", failures.explain(why, "return " .. rest) end
  local started = time.monotonic()
  local results = table.pack(chunk())
  local ms = time.monotonic() - started
  return "shown", ("%s\n%.3f ms"):format(inspect.results(results, host.columns), ms)
end

return {
  { "send", "{ to = …, … }", "a message, as POST / takes it, through the rules", run = send },
  { "request", "METHOD PATH [JSON]", "a request, through routes and policies", run = request,
    complete = "route" },
  { "replay", "[N]", "what the rules now say of the last N drafts", run = replay_drafts },
  { "time", "EXPRESSION", "how long it takes", run = time_of, complete = "name" },
}
