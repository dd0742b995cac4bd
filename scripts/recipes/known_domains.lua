--- Hold mail to domains that nobody has named.
---
--- my/policy/review.lua:
---
---   local known_domains = require "recipes.known_domains"
---   local rules = require "lib.rules"
---   return { decide = rules.first {
---     { "unknown domains", known_domains { "example.com", "*.example.com", "example.org" } },
---   } }
---
--- "example.com" is that domain alone, "*.example.com" all below it (see lib/domains.lua). One
--- unknown recipient is enough, in To, Cc or Bcc. It does not know who reads a mailbox there, nor
--- where that mailbox forwards to.

local domains = require "lib.domains"
local given = require "lib.given"

---@param list string[]
---@return rule
return function(list)
  given("known_domains", list, "string[]")
  local is_known = domains.among(list)
  return function(letter)
    for _, domain in ipairs(letter.domains) do
      if not is_known(domain) then return "hold", domain .. " is not a domain that we know" end
    end
  end
end
