--- Parts of addresses.

local url = {}

--- A text for a query (RFC 3986 §2.3 is left as it is).
---@param text string
---@return string
function url.encode(text)
  return (text:gsub("[^%w._~/-]", function(char) return ("%%%02X"):format(char:byte()) end))
end

--- `?a=1&b=2`, in the order of their names; "" for none.
---@param parameters table<string, string>
---@return string
function url.query(parameters)
  local names, pairs_of = {}, {}
  for name in pairs(parameters) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    pairs_of[i] = name .. "=" .. url.encode(parameters[name])
  end
  return #names > 0 and "?" .. table.concat(pairs_of, "&") or ""
end

return url
