--- The links of an HTML text, as a mail reader finds them.

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

return links
