--- The links of an HTML text, as a mail reader finds them.

local domains = require "lib.domains"
local text = require "paraph.text"

local links = {}

local function plain(html)
  return (assert(text.from_html(html)):gsub("^%s+", ""):gsub("%s+$", ""))
end

--- The value that begins at a position of a tag, and the position behind it; nil: it never ends.
local function value_at(html, at)
  local quote = html:match("^[\"']", at)
  if not quote then
    local value = html:match("^[^%s>]*", at)
    return value, at + #value
  end
  local stop = html:find(quote, at + 1, true)
  if stop then return html:sub(at + 1, stop - 1), stop + 1 end
end

--- The href of a tag whose attributes begin at a position, and the position behind the tag.
local function href_at(html, at)
  local href, name, value, _, stop
  while true do
    at = html:find("[^%s/]", at)
    if not at then return nil, #html + 1 end
    if html:sub(at, at) == ">" then return href, at + 1 end
    name, value = html:match("^.[^%s/>=]*", at), ""
    at = at + #name
    _, stop = html:find("^%s*=%s*", at)
    if stop then value, at = value_at(html, stop + 1) end
    if not at then return nil, #html + 1 end
    if name:lower() == "href" then href = href or value end
  end
end

--- Every link: its address, and its text as it is shown. A link ends where another one begins.
---@param html string
---@return fun(): string?, string?
function links.of(html)
  local lower, at = html:lower(), 1
  return function()
    local href, text_at
    repeat
      local _, start = lower:find("<a[%s/]", at)
      if not start then return nil end
      href, text_at = href_at(html, start)
      at = text_at
    until href
    at = lower:find("</?a[%s/>]", text_at) or #html + 1
    return plain(href), plain(html:sub(text_at, at - 1))
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
