--- The values of `settings.lua`, of the overlay and as it is shipped, read when the scripts are
--- loaded.

local environ = require "paraph.environ"

---@class setting
---@field type "text"|"number"|"boolean"|"list"
---@field default? any
---@field range? number[]   the least and the most of a number

local function items_of(text)
  local items = {}
  for item in text:gmatch("[^,]+") do items[#items + 1] = item:match("^%s*(.-)%s*$") end
  return items
end

local booleans = { ["true"] = true, ["1"] = true, yes = true,
  ["false"] = false, ["0"] = false, no = false }

--- A text as a value of each type; nil: it is none.
local readers = {
  text = function(text) return text end,
  number = tonumber,
  boolean = function(text) return booleans[text:lower()] end,
  list = items_of,
}

local wanted = {
  text = "a text", number = "a number", boolean = "true or false", list = "a list with commas",
}

local function wanted_of(setting)
  local range = setting.range
  return wanted[setting.type] .. (range and (" from %s to %s"):format(range[1], range[2]) or "")
end

--- The value that a text is; nil: it is none, or out of range.
local function value_of(text, setting)
  local value, range = readers[setting.type](text), setting.range
  if value and range and (value < range[1] or value > range[2]) then return nil end
  return value
end

local function read(name, setting)
  local is_setting = type(setting) == "table" and readers[setting.type]
  if not is_setting or type(name) ~= "string" or not name:find("^[a-z][a-z0-9_]*$") then
    error(("settings.lua: %s is no name = { type = \"text\", \"number\", \"boolean\" or \"list\" }")
      :format(tostring(name)), 0)
  end
  local variable = "POLICY_" .. name:upper()
  local text = environ(variable)
  if not text and setting.default == nil then
    error(("settings.lua: %s is not set: it must be %s"):format(variable, wanted_of(setting)), 0)
  end
  if not text then return setting.default end
  local value = value_of(text, setting)
  if value == nil then
    error(("settings.lua: %s: '%s' is not %s"):format(variable, text, wanted_of(setting)), 0)
  end
  return value
end

local settings = {}
for _, declared in ipairs { require "shipped.settings", require "settings" } do
  if type(declared) ~= "table" then error("settings.lua: returns no table", 0) end
  for name, setting in pairs(declared) do settings[name] = read(name, setting) end
end
return settings
