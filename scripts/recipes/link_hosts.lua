--- Hold mail with a link whose text names one host and that leads to another.
---
--- my/policy/review.lua:
---
---   local link_hosts = require "recipes.link_hosts"
---   local rules = require "lib.rules"
---   return { decide = rules.first { { "links", link_hosts { "click.example.net" } } } }
---
--- "https://example.com/a", "www.example.com" and "example.com/a" as the whole text of a link name
--- a host; the link must lead there, or below it (mail.example.com), or to one of the domains
--- listed, as a service that counts clicks. Bodies in HTML, Markdown and templates are looked into.
--- A text such as "report.pdf" looks like a host, and is held; "click here" never is. Buttons,
--- images, forms and look-alike letters are not looked at, nor where a link leads on to. Bodies
--- over 128 KiB are held unread.

local domains = require "lib.domains"
local given = require "lib.given"
local links = require "lib.links"
local reading = require "lib.reading"

---@param others? string[]   domains that any link may lead to
---@return rule
return function(others)
  given("link_hosts", others, "string[]?")
  local is_other = domains.among(others or {})
  return function(letter)
    local is_plain = not letter.template and (letter.draft.format or "text") == "text"
    if is_plain then return end -- its links are what they say
    local html = reading.html(letter)
    if not html then return "hold", reading.TOO_LONG end
    for url, shown in links.of(html) do
      local named, host = links.differs(url, shown)
      if named and not is_other(host) then
        return "hold", ("a link says %s and leads to %s"):format(named, host)
      end
    end
  end
end
