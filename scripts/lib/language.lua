--- The language that a browser asks for.

local language = {}

--- The ranges of an Accept-Language header (RFC 9110 §12.5.4) with their weights.
local function ranges_of(header)
  local ranges = {}
  for item in header:gmatch("[^,]+") do
    local tag, rest = item:match("^%s*([%w-]+)%s*(.-)%s*$")
    local weight = tag and (rest == "" and 1 or tonumber(rest:match("^;%s*q=([%d.]+)$")))
    if weight and weight > 0 then
      ranges[#ranges + 1] = { tag = tag:lower():match("^%w+"), weight = weight, place = #ranges }
    end
  end
  table.sort(ranges, function(a, b)
    if a.weight ~= b.weight then return a.weight > b.weight end
    return a.place < b.place
  end)
  return ranges
end

--- The one of those there are that is wanted most; `default` if none is.
---@param header? string            Accept-Language
---@param there table<string, any>  by language: "en", "fr"
---@param default string
---@return string
function language.of(header, there, default)
  for _, range in ipairs(ranges_of((header or ""):sub(1, 500))) do
    if there[range.tag] then return range.tag end
  end
  return default
end

return language
