--- Values as people read them: a line if it fits, else one for each member, and never too many.

local json = require "paraph.json"
local policy = require "paraph.policy"

local inspect = {}

local DEPTH_MAX, MEMBERS_MAX, TEXT_MAX = 6, 50, 2000
local INDENT = "  "

local NAME = "^[%a_][%w_]*$"
local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
    return then true until while]]):gmatch("%a+") do
  KEYWORDS[word] = true
end

local ESCAPES = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(text)
  local cut = #text > TEXT_MAX
  local shown = cut and text:sub(1, utf8.offset(text, 0, TEXT_MAX) - 1) or text
  shown = '"' .. shown:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or ("\\%03d"):format(c:byte())
  end) .. '"'
  return cut and ("%s… (%d bytes)"):format(shown, #text) or shown
end

local function scalar(value)
  local kind = type(value)
  if kind == "string" then return quoted(value) end
  if kind == "function" then return "function " .. policy.where(value) end
  return value == json.null and "json.null" or tostring(value)
end

local function key_of(name)
  if type(name) == "string" and name:find(NAME) and not KEYWORDS[name] then return name end
  return "[" .. scalar(name) .. "]"
end

--- Numbers before words, each in order; whatever else behind them.
local function before(a, b)
  local ka, kb = type(a), type(b)
  if ka ~= kb then return ka < kb end
  if ka == "number" or ka == "string" then return a < b end
  return tostring(a) < tostring(b)
end

--- The names of a table's members that are not in its list.
local function names_of(value, length)
  local names = {}
  for name in pairs(value) do
    if not (math.type(name) == "integer" and name >= 1 and name <= length) then
      names[#names + 1] = name
    end
  end
  table.sort(names, before)
  return names
end

local tree

local function members_of(value, width, depth, seen)
  local length = #value
  local parts, left = {}, MEMBERS_MAX
  local function add(prefix, member)
    if left == 0 then return false end
    left = left - 1
    parts[#parts + 1] = prefix .. tree(member, width - #INDENT, depth + 1, seen, #prefix)
    return true
  end
  local more = 0
  for i = 1, length do
    if not add("", value[i]) then more = more + 1 end
  end
  for _, name in ipairs(names_of(value, length)) do
    if not add(key_of(name) .. " = ", value[name]) then more = more + 1 end
  end
  if more > 0 then parts[#parts + 1] = ("… %d more"):format(more) end
  return parts
end

local function width_of(text)
  return utf8.len(text) or #text
end

--- `used` columns of the first line are taken already.
function tree(value, width, depth, seen, used)
  if type(value) ~= "table" then return scalar(value) end
  if seen[value] then return "<the same again>" end
  if next(value) == nil then return "{}" end
  if depth == DEPTH_MAX then return "{…}" end
  seen[value] = true
  local parts = members_of(value, width, depth, seen)
  seen[value] = nil
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if width_of(line) + used <= width and not line:find("\n", 1, true) then return line end
  for i, part in ipairs(parts) do parts[i] = INDENT .. part:gsub("\n", "\n" .. INDENT) end
  return "{\n" .. table.concat(parts, ",\n") .. "\n}"
end

---@param value any
---@param columns integer
---@return string
function inspect.value(value, columns)
  return tree(value, columns, 0, {}, 0)
end

local function is_err(value)
  return type(value) == "table" and type(value.code) == "string" and type(value.message) == "string"
end

--- The results of a line. `nil, err` is a sentence.
---@param results { n: integer, [integer]: any }
---@param columns integer
---@return string
function inspect.results(results, columns)
  if results[1] == nil and is_err(results[2]) then
    return ("nil, %s: %s"):format(results[2].code, results[2].message)
  end
  local parts = {}
  for i = 1, results.n do parts[i] = inspect.value(results[i], columns) end
  local line = table.concat(parts, ", ")
  if width_of(line) <= columns and not line:find("\n", 1, true) then return line end
  return table.concat(parts, "\n")
end

return inspect
