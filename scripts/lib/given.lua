--- What a recipe is given, looked at where it is given: a text in place of a list, or a misspelt
--- option, would leave a rule switched off, and nobody would know.
---
---   given("known_domains", list, "string[]")
---   given("daily_caps", caps, { to = "integer?", from = "integer?" })

local function is_text(value)
  return type(value) == "string"
end

local function is_count(value)
  return math.type(value) == "integer" and value >= 0
end

local function is_of(kind)
  return function(value) return type(value) == kind end
end

--- Nothing but the members 1, 2, 3 ...
local function list_of(is_item)
  return function(value)
    if type(value) ~= "table" then return false end
    local n = 0
    for _ in pairs(value) do n = n + 1 end
    for i = 1, n do
      if not is_item(value[i]) then return false end
    end
    return true
  end
end

local function by_names(is_member)
  return function(value)
    if type(value) ~= "table" then return false end
    for name, member in pairs(value) do
      if not (is_text(name) and is_member(member)) then return false end
    end
    return true
  end
end

--- Types, as they are written above functions: for people, and whether a value is of it.
local TYPES = {
  ["string"] = { "a text", is_text },
  ["number"] = { "a number", is_of "number" },
  ["integer"] = { "a whole number from 0 up", is_count },
  ["boolean"] = { "true or false", is_of "boolean" },
  ["function"] = { "a function", is_of "function" },
  ["string[]"] = { 'a list of texts, { "one", "two" }', list_of(is_text) },
  ["integer[]"] = { "a list of whole numbers, { 1, 2 }", list_of(is_count) },
  ["table<string, string>"] = { 'a table of texts, { name = "text" }', by_names(is_text) },
  ["table<string, integer>"] = { "a table of whole numbers, { name = 1 }", by_names(is_count) },
}

--- What a value lacks to be of a type; nil: it is. "?" is for what need not be there.
local function wanted(value, type_name)
  local name, optional = type_name:match("^(.-)(%??)$")
  local words, is = TYPES[name][1], TYPES[name][2]
  if is(value) or value == nil and optional == "?" then return nil end
  return words
end

local function names_of(options)
  local names = {}
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- Raises at the line that uses the recipe, if that gives it something else.
---@param recipe string
---@param value any
---@param types string|table<string, string>   a type; or, of a table of options, that of each
return function(recipe, value, types)
  if type(types) == "string" then
    local words = wanted(value, types)
    if words then error(("%s takes %s"):format(recipe, words), 3) end
    return
  end
  if type(value) ~= "table" then
    error(("%s takes a table of options: %s"):format(recipe, names_of(types)), 3)
  end
  for name in pairs(value) do
    if not types[name] then
      error(("%s has no option '%s', but %s"):format(recipe, tostring(name), names_of(types)), 3)
    end
  end
  for name, type_name in pairs(types) do
    local words = wanted(value[name], type_name)
    if words then error(("%s: the option '%s' is %s"):format(recipe, name, words), 3) end
  end
end
