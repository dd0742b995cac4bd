--- Let certain templates be sent by certain senders alone.
---
--- my/policy/review.lua:
---
---   local rules = require "lib.rules"
---   local template_senders = require "recipes.template_senders"
---   return { decide = rules.first {
---     { "senders of templates", template_senders { invoice = "billing@example.com",
---       ["legal/notice"] = "@example.com" } },
---   } }
---
--- The template's name as callers write it; an address, or @ and a domain (that one alone, as in
--- ALLOWED_SENDERS). Anybody else gets 403. Drafts are not checked: use it for `approve`, too. Nor
--- is what somebody writes without a template, however much it looks like one.

local domains = require "lib.domains"
local given = require "lib.given"

---@param senders table<string, string>  by name of template
---@return rule
return function(senders)
  given("template_senders", senders, "table<string, string>")
  local wanted = {}
  for template, sender in pairs(senders) do
    local local_part, name = sender:match("^(.*)@([^@]+)$")
    local domain = name and domains.canonical(name)
    if not domain then
      error(("senders of templates: '%s' is no address, nor @domain"):format(sender), 2)
    end
    wanted[template] = (local_part .. "@" .. domain):lower()
  end
  return function(letter)
    local sender = wanted[letter.template]
    if not sender then return end
    local address, domain = letter.sender.address:lower(), "@" .. letter.sender.domain
    if sender ~= address and sender ~= domain then
      return "refuse", ("the template '%s' is for the sender %s alone")
        :format(letter.template, sender)
    end
  end
end
