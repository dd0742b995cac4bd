--- The links of an HTML text, as a mail reader finds them.

local domains = require "lib.domains"
local text = require "paraph.text"

local links = {}

local function plain(html)
  return (assert(text.from_html(html)):gsub("^%s+", ""):gsub("%s+$", ""))
end

local HREF = { href = true }

--- Where a tag leads, without what browsers pass over.
local function href_of(tag)
  local href = tag.name == "a" and tag.attributes.href
  return href and href.value:gsub("%c", ""):gsub("^ +", "")
end

--- Every link: its address, and its text as it is shown. A link ends where another one begins.
--- Outlook shows what comments hold that begin with a condition, <!--[if mso]>.
---@param html string
---@return fun(): string?, string?
function links.of(html)
  html = html:gsub("<!%-%-%[if", "<![if")
  local next_tag = text.tags(html, HREF, "a")
  local tag = next_tag()
  return function()
    while tag do
      local link = tag
      tag = next_tag()
      local href = href_of(link)
      if href then return href, plain(html:sub(link.last + 1, tag and tag.first - 1 or #html)) end
    end
  end
end

--- Host of what an address bar would show; browsers take "\\" for "/" and pass over line breaks.
---@param url string
---@return string?
function links.host(url)
  url = url:gsub("[%c ]", ""):gsub("\\", "/"):lower()
  local rest = url:match("^https?:/*([^/?#]*)") or url:match("^//+([^/?#]*)")
  local host = rest and rest:gsub("^.*@", ""):gsub(":%d*$", ""):gsub("%.$", "")
  return host and (domains.canonical(host) or host)
end

--- The host that the text of a link names, if it does.
local function host_named(shown)
  if shown:find("%s") then return nil end
  if shown:lower():find("^https?:") then return links.host(shown) end
  local name = shown:match("^([^/?#:@]+%.[^/?#:@%d.][^/?#:@%d.]+)%.?%f[/?#:\0]")
  return name and domains.canonical(name)
end

--- Does a link lead to another host than its text names? "https://example.com/a",
--- "www.example.com" and "example.com/a" as the whole text name one; below it is the same.
---@param url string
---@param shown string
---@return string? named  the host that the text names, if it leads to another
---@return string? host   where it leads
function links.differs(url, shown)
  local host, named = links.host(url), host_named(shown)
  local wanted = named and named:gsub("^www%.", "")
  local same = host == wanted or wanted and host and host:sub(-#wanted - 1) == "." .. wanted
  if host and named and not same then return named, host end
end

return links
