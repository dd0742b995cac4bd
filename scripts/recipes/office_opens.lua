--- Count opens from our own office as ours, and keep with the last open what mail reader asked.
---
--- my/policy/opens.lua:
---
---   local office_opens = require "recipes.office_opens"
---   return { classify = office_opens { addresses = { "192.0.2.7", "2001:db8:1:2:" }, proxies = 1,
---     keep_user_agent = true } }
---
--- An address, or the beginning of one up to a "." or ":". `proxies` says how many of our own stand
--- in front (1 on Cloud Run): the address is then the one that the outermost of them saw, so that
--- nobody can claim ours. The user agent is personal data in many places: keep it only if you need
--- it; it is in `last_open` of the pixel. Who reads mail at home, or through a service that fetches
--- images for him, does not look like the office.

local given = require "lib.given"
local peer = require "lib.peer"
local shipped = require "shipped.policy.opens"

local LONGEST = 300 -- bytes of a user agent that are kept

---@class office_opens
---@field addresses? string[]
---@field proxies? integer         default 0: recipients reach us directly
---@field keep_user_agent? boolean

local function is_among(address, list)
  address = address:lower():gsub("^::ffff:(%d+%.)", "%1")
  for _, item in ipairs(list) do
    local is_start = item:find("[.:]$") ~= nil
    if address == item or is_start and address:sub(1, #item) == item then return true end
  end
  return false
end

---@param options office_opens
---@param classify? fun(open: open): open_kind, string, table?  default: as shipped
return function(options, classify)
  given("office_opens", options,
    { addresses = "string[]?", proxies = "integer?", keep_user_agent = "boolean?" })
  classify = classify or shipped.classify
  return function(open)
    local kind, reason, kept = classify(open)
    local address = peer(open.remote, open.forwarded, options.proxies)
    if address and is_among(address, options.addresses or {}) then
      kind, reason = "sender", "it was asked for from our office"
    end
    if not options.keep_user_agent then return kind, reason, kept end
    kept = kept or {}
    local agent = open.user_agent
    if #agent > LONGEST then agent = agent:sub(1, utf8.offset(agent, 0, LONGEST + 1) - 1) end
    kept.user_agent = agent
    return kind, reason, kept
  end
end
