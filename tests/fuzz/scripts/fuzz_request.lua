--- Requests on one fresh world, one after the other: each answer is one that the service promises,
--- and what is stored as a draft is a message that can be read.
---
--- The input is requests with bytes FF between: a line with method and target, headers, an empty
--- line, the body. "$draft" stands for the draft that came to be last, "$csrf" for the token of the
--- forms. A method "FAIL" lets the next call of a part fail instead: "FAIL store timeout",
--- "FAIL mail gmail_error unknown".

local csrf = require "lib.csrf"
local mime = require "lib.mime"
local testing = require "paraph.testing"

local REQUESTS_MAX = 8
local ANSWERS = {
  [200] = true, [303] = true, [304] = true, [400] = true, [401] = true, [403] = true, [404] = true,
  [405] = true, [409] = true, [413] = true, [415] = true, [429] = true,
}
-- These only where a part of the world was made to fail.
local FAILURES = { [500] = false, [502] = true, [503] = true, [504] = true }
local CODES = {
  gmail_error = true, store_error = true, timeout = true, rate_limited = true, auth_error = true,
}

local function read_request(text)
  local method, target, rest = text:match("^([^ \n]*) ([^\n]*)\n?(.*)$")
  if not method or not method:find("^%u+$") then return nil end -- others end in the head
  local head, body = rest:match("^(.-)\n\n(.*)$")
  local headers = {}
  for name, value in (head or rest):gmatch("([^:\n]+): ?([^\n]*)") do
    headers[name:lower()] = value
  end
  return method, target, headers, body
end

local function check_error(reply, where)
  assert(type(reply.json) == "table", where .. ": an error is no JSON")
  local e = reply.json
  assert(e.status == "error" and type(e.code) == "string" and e.code:find("^[a-z_]+$"), where)
  -- It may name a member of the caller's, which may hold anything.
  assert(type(e.error) == "string" and utf8.len(e.error) and #e.error > 0, where)
  assert(e.field == nil or type(e.field) == "string", where)
  assert(e.request_id == "id-1", where)
end

--- A page runs nothing but our own script, and a letter not even that.
local function check_page(reply, where)
  local policy = reply.headers["Content-Security-Policy"]
  assert(policy and policy:find("default-src 'none'", 1, true), where .. ": no policy")
  if policy:find("^sandbox;") then return end
  for tag in reply.body:lower():gmatch("<script[^>]*>") do
    assert(tag:find('^<script nonce="[%x-]+" src="/assets/'), where .. ": " .. tag)
  end
end

local function check_reply(reply, where, may_fail)
  assert(not reply.trace, where .. ": " .. tostring(reply.trace))
  assert(ANSWERS[reply.status] or may_fail and FAILURES[reply.status],
    where .. ": " .. reply.status .. " " .. reply.body)
  for name, value in pairs(reply.headers) do
    assert(not (name .. value):find("[\r\n\0]"), where .. ": a header ends early")
  end
  if reply.headers["Content-Type"] == "text/html; charset=utf-8" then
    check_page(reply, where)
  elseif reply.status >= 400 then
    check_error(reply, where)
  end
end

--- The lines of a message end and are as long as they may (RFC 5322 §2.1.1), and it can be read.
local function check_message(bytes, where)
  local text = bytes:string(64 << 20)
  assert(not text:gsub("\r\n", ""):find("[\r\n\0]"), where .. ": a bare line end")
  for line in text:gmatch("(.-)\r\n") do assert(#line <= 998, where .. ": a long line") end
  local message = mime.read(bytes)
  local headers = message.headers
  assert(headers.from and headers["message-id"] and headers.date, where)
  assert(message.plain or message.html or #message.parts > 0, where .. ": an empty message")
end

local function check_draft(world, id)
  local reply = world.request("GET", "/drafts/" .. id .. "/message", nil, { id = "id-1" })
  check_reply(reply, "the message of a new draft")
  assert(reply.status == 200, "a draft that is no message: " .. reply.body)
  check_message(reply.bytes, "a draft")
end

local function fail(world, what)
  local part, code, unknown = what:match("^(%a+) ([%a_]+) ?(%a*)$")
  if not CODES[code] or part ~= "mail" and part ~= "store" then return false end
  world[part .. "_fails"](code, "made to fail", { unknown = part == "mail" and unknown ~= "" })
  return true
end

return function(input)
  local world = testing.world()
  local token = assert(csrf.token { name = "anonymous", method = "none" })
  local draft, failing, n = "11111111-1111-4111-8111-111111111111", false, 0
  for text in (input .. "\xFF"):gmatch("([^\xFF]*)\xFF") do
    text = text:gsub("%$draft", draft):gsub("%$csrf", token)
    local method, target, headers, body = read_request(text)
    n = n + 1
    if n > REQUESTS_MAX then break end
    if method == "FAIL" then
      failing = fail(world, target) or failing
    elseif method then
      local where = method .. " " .. target
      local reply = world.request(method, target, body, { headers = headers, id = "id-1" })
      check_reply(reply, where, failing)
      local id = reply.status == 200 and type(reply.json) == "table" and reply.json.draft_id
      if id and not failing then check_draft(world, id) end
      draft = id or draft
    end
  end
  for _, letter in ipairs(testing.letters()) do check_message(letter.bytes, "what was sent") end
end
