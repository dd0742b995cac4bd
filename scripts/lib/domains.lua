--- Lists of domains, as policies write them:
---
---   "example.com"     this domain alone
---   "*.example.com"   every domain below it, however deep, but not itself
---
--- Upper case does not matter, and "bücher.example" is the same as "xn--bcher-kva.example".

local address = require "paraph.address"

local domains = {}

--- A domain in lower case and A-labels, as letters have it; nil if it is none.
---@param name string
---@return string?
function domains.canonical(name)
  if name:find('[%s%c,;:<>@()"%[%]\\]') then return nil end
  local mailboxes = address.parse("x@" .. name)
  return mailboxes and #mailboxes == 1 and mailboxes[1].domain or nil
end

--- Whether a domain is one of these. Raises for what is no domain, at the line that uses the recipe
--- that calls this: a misspelt list does not go live.
---@param list string[]
---@return fun(domain: string): boolean has  takes domains as letters have them
function domains.among(list)
  local exact, below = {}, {}
  for _, item in ipairs(list) do
    local parent = item:match("^%*%.(.+)$")
    local name = domains.canonical(parent or item)
    if not name then error(("'%s' is no domain, such as example.com"):format(item), 3) end
    local set = parent and below or exact
    set[name] = true
  end
  return function(domain)
    if exact[domain] then return true end
    local dot = domain:find(".", 1, true)
    while dot do
      if below[domain:sub(dot + 1)] then return true end
      dot = domain:find(".", dot + 1, true)
    end
    return false
  end
end

return domains
