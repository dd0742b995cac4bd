--- Options of a command: "--name VALUE", "--name=VALUE", "--flag"; the rest are words. "--" ends
--- the options, and "-" is a word.

local terminal = require "lib.terminal"

local arguments = {}

---@alias option_kind "flag"|"text"|"list"   without a value; once; again for more

---@class arguments.spec
---@field options table<string, option_kind>
---@field words integer            at most so many

---@class arguments.given
---@field options table<string, any>   by name, with "_" for "-": true, a text, or a list of texts
---@field words string[]

local function wrong(format, ...)
  local shown = table.pack(...)
  for i = 1, shown.n do
    if type(shown[i]) == "string" then shown[i] = terminal.cut(terminal.line(shown[i]), 80) end
  end
  return nil, format:format(table.unpack(shown, 1, shown.n))
end

--- Is it an option of the command, or "--", and so nothing that one is to be set to? (The host
--- looks for --dry-run itself, and must find the same.)
local function is_option(spec, text)
  local name = text:match("^%-%-([^=]*)")
  return name == "" or name ~= nil and spec.options[name] ~= nil
end

--- Put a value where it belongs; nil and a sentence.
local function set(spec, given, name, value)
  local kind, key = spec.options[name], name:gsub("-", "_")
  if kind == "list" then
    given[key] = given[key] or {}
    table.insert(given[key], value)
  elseif given[key] ~= nil then
    return wrong("--%s is given twice", name)
  else
    given[key] = value
  end
  return true
end

--- One option; how many arguments it takes, or nil and a sentence.
local function read_option(spec, given, list, i)
  local name, value = list[i]:match("^%-%-([^=]+)=?(.*)$")
  local joined = list[i]:find("=", 1, true) ~= nil
  local kind = name and spec.options[name]
  if not kind then return wrong("there is no option '%s'", (list[i]:match("^[^=]+") or list[i])) end
  local taken = 1
  if kind == "flag" then
    if joined then return wrong("--%s takes no value", name) end
    value = true
  elseif not joined then
    value, taken = list[i + 1], 2
    if value == nil then return wrong("--%s needs a value", name) end
    if is_option(spec, value) then
      return wrong("--%s needs a value; if '%s' is meant to be it: --%s=%s", name, value, name,
        value)
    end
  end
  local ok, sentence = set(spec, given, name, value)
  if not ok then return nil, sentence end
  return taken
end

--- What the arguments of a command say.
---@param spec arguments.spec
---@param list string[]
---@return arguments.given? given
---@return string? sentence     what is wrong with them
function arguments.read(spec, list)
  local options, words, i, is_over = {}, {}, 1, false
  for n, text in ipairs(list) do
    if not utf8.len(text) then return wrong("argument %d is not UTF-8: '%s'", n, text) end
  end
  while i <= #list do
    local text, taken = list[i], 1
    if text == "--" and not is_over then
      is_over = true
    elseif is_over or text:sub(1, 1) ~= "-" or text == "-" then
      words[#words + 1] = text
    else
      local sentence
      taken, sentence = read_option(spec, options, list, i)
      if not taken then return nil, sentence end
    end
    i = i + taken
  end
  if #words > spec.words then
    return wrong("one argument too many: '%s'", words[spec.words + 1])
  end
  return { options = options, words = words }
end

return arguments
