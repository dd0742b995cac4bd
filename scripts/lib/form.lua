--- HTML forms, as browsers post them: application/x-www-form-urlencoded.

local form = {}

--- Whether a Content-Type is that of such a form.
---@param content_type? string
---@return boolean
function form.is_type(content_type)
  return (content_type or ""):lower():match("^%s*([^;%s]*)")
    == "application/x-www-form-urlencoded"
end

local function decoded(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- The fields by name; of those of one name the last, line breaks as LF. Whether they are UTF-8 is
--- for a schema to say.
---@param text string
---@return table<string, string>
function form.decode(text)
  local fields = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    if name then fields[decoded(name)] = decoded(value):gsub("\r\n?", "\n") end
  end
  return fields
end

--- All values of a field, in the order in which they stand in the form.
---@param text string
---@param wanted string
---@return string[]
function form.values(text, wanted)
  local values = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    if name and decoded(name) == wanted then
      values[#values + 1] = decoded(value):gsub("\r\n?", "\n")
    end
  end
  return values
end

return form
