--- Cap the mail of a day: to each domain by recipients, from each sender by messages.
---
--- my/policy/limits.lua:
---
---   local daily_caps = require "recipes.daily_caps"
---   return { of = daily_caps { to = 200, from = 1000, domains = { ["example.com"] = 5000 } } }
---
--- At most 200 recipients at each domain, but 5000 at example.com, and 1000 messages of each
--- sender. What would exceed that is held, and a reviewer may still let it out. A domain is counted
--- alone, not with those below it. Each domain of a message is a count of its own in the store, so
--- mail to hundreds of domains at once takes its time. Days are those of local time (TZ).

local domains = require "lib.domains"
local given = require "lib.given"

---@class daily_caps
---@field to? integer                       recipients a day at each domain; default: any number
---@field from? integer                     messages a day of each sender; default: any number
---@field domains? table<string, integer>   other numbers for some domains

---@param caps daily_caps
---@return fun(letter: letter): limit[]
return function(caps)
  given("daily_caps", caps,
    { to = "integer?", from = "integer?", domains = "table<string, integer>?" })
  local special = {}
  for name, most in pairs(caps.domains or {}) do
    local domain = domains.canonical(name)
    if not domain then error(("daily caps: '%s' is no domain"):format(name), 2) end
    special[domain] = most
  end
  return function(letter)
    local counts, limits = {}, {}
    for _, recipient in ipairs(letter.recipients) do
      counts[recipient.domain] = (counts[recipient.domain] or 0) + 1
    end
    for _, domain in ipairs(letter.domains) do
      local most = special[domain] or caps.to
      if most then
        limits[#limits + 1] = { name = "to " .. domain, most = most, count = counts[domain] }
      end
    end
    if caps.from then
      limits[#limits + 1] = { name = "from " .. letter.sender.address:lower(), most = caps.from }
    end
    return limits
  end
end
