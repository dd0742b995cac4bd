--- Checks JSON values against schemas. A schema is a table in the words of JSON Schema (2020-12),
--- as far as requests need them, so that it can be published (lib/openapi.lua):
---
---   type                   a name or a list of names: string boolean integer object array
---   enum                   the values allowed
---   minLength, maxLength   of strings, in characters
---   minimum, maximum       of integers
---   format                 one of `formats` below
---   contentEncoding        "base64": the value is a blob (see paraph.json)
---   items, maxItems        of arrays
---   properties, required   of objects: members without a property are refused by name; an object
---                          schema without properties takes anything
---
--- JSON null in place of a member counts as its absence.

local crypto = require "paraph.crypto"
local json = require "paraph.json"
local text = require "paraph.text"
local fail = require "lib.fail"

local schema = {}

local null, array_mt = json.null, json.array_mt

---@class schema
---@field type string|string[]
---@field enum? any[]
---@field minLength? integer
---@field maxLength? integer
---@field minimum? integer
---@field maximum? integer
---@field format? string
---@field contentEncoding? string
---@field items? schema
---@field maxItems? integer
---@field properties? table<string, schema>
---@field required? string[]

--- What a text of a format is (a predicate), the sentence for one that is not, and for a format
--- of our own the same as a regular expression (ECMA-262), for whoever reads the schema elsewhere.
local formats = {
  text = {
    is = function(value) return not value:find("\0", 1, true) end,
    wanted = "must not contain NUL characters",
    pattern = "^[^\\u0000]*$",
  },
  line = {
    is = text.is_line,
    wanted = "must be one line without control characters",
    pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F\\u2028\\u2029]*$",
  },
  uuid = { is = crypto.is_uuid, wanted = "must be a UUID" },
}

--- The regular expression of a format of our own; nil for others. Not the table itself: what a
--- module hands out is looked up through a view, and this one is needed for every text.
---@param format? string
---@return string?
function schema.pattern(format)
  return formats[format] and formats[format].pattern
end

local LONGEST_NAME = 64 -- bytes of a member's name that an answer repeats

local articles = {
  string = "a string", boolean = "true or false", integer = "an integer",
  object = "an object", array = "an array",
}

--- A member's name as an answer has it; the empty one would not be seen.
local function shown(name)
  if name == "" then return '""' end
  if #name <= LONGEST_NAME then return name end
  return name:sub(1, utf8.offset(name, 0, LONGEST_NAME + 1) - 1) .. "…"
end

--- Why a value does not fit, and where; who finds it inside of another says so by within().
---@class schema_fault
---@field sentence string
---@field code err_code
---@field path string    "attachments[0].content"; "": the value itself

local function fault(sentence, code, path)
  return { sentence = sentence, code = code or "invalid_field", path = path or "" }
end

local function within(name, found)
  local beside = found.path == "" or found.path:sub(1, 1) == "["
  found.path = name .. (beside and "" or ".") .. found.path
  return found
end

--- The JSON type of a value as schemas name it. A table that nobody marked is an array if it holds
--- something at 1.
local function type_of(value, wanted)
  local kind = type(value)
  if value == null then return "null" end
  if kind == "number" then return math.type(value) == "integer" and "integer" or "number" end
  if kind == "userdata" and wanted.contentEncoding then return "string" end
  if kind ~= "table" then return kind end
  if getmetatable(value) == array_mt or value[1] ~= nil then return "array" end
  return "object"
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then return true end
  end
  return false
end

local check

local function check_string(wanted, value)
  local length = wanted.contentEncoding and #value or utf8.len(value)
  if not length then return fault("is not valid UTF-8") end
  if length < (wanted.minLength or 0) then return fault("must not be empty") end
  if wanted.maxLength and length > wanted.maxLength then
    return fault(("is longer than %d characters"):format(wanted.maxLength))
  end
  local format = formats[wanted.format]
  if format and not format.is(value) then return fault(format.wanted) end
end

local function check_integer(wanted, value)
  if value < (wanted.minimum or value) or value > (wanted.maximum or value) then
    return fault(("must be from %d to %d"):format(wanted.minimum, wanted.maximum))
  end
end

local function check_array(wanted, value)
  if wanted.maxItems and #value > wanted.maxItems then
    return fault(("has more than %d items"):format(wanted.maxItems))
  end
  if not wanted.items then return end
  for i, item in ipairs(value) do
    local found = check(wanted.items, item)
    if found then return within(("[%d]"):format(i - 1), found) end
  end
end

local function check_object(wanted, value)
  local properties, required = wanted.properties, wanted.required
  if not properties then return end
  for name, member in pairs(value) do
    local property = properties[name]
    if not property then
      return fault("there is no such field", "unknown_field", shown(tostring(name)))
    end
    if member == null then
      value[name] = nil
    else
      local found = check(property, member)
      if found then return within(name, found) end
    end
  end
  for i = 1, required and #required or 0 do
    if value[required[i]] == nil then return fault("is missing", nil, required[i]) end
  end
end

local checks = {
  string = check_string, integer = check_integer, array = check_array, object = check_object,
}

local function is_of(wanted, kind)
  local types = wanted.type
  return types == kind or (type(types) == "table" and contains(types, kind))
end

local function wrong_type(types)
  local wants = {}
  for i, name in ipairs(type(types) == "table" and types or { types }) do
    wants[i] = articles[name]
  end
  return fault("must be " .. table.concat(wants, " or "))
end

--- What is wrong with a value; nil: nothing.
---@return schema_fault?
function check(wanted, value)
  local kind = type_of(value, wanted)
  if not is_of(wanted, kind) then return wrong_type(wanted.type) end
  if wanted.enum and not contains(wanted.enum, value) then
    return fault("must be one of " .. table.concat(wanted.enum, ", "))
  end
  local more = checks[kind]
  return more and more(wanted, value)
end

--- Check a decoded JSON value. Takes null members away from it (not from objects that take
--- anything).
---@param wanted schema
---@param value any
---@return any value         the value itself; nil on failure
---@return paraph.err? err   `invalid_field` or `unknown_field`, with the field's path
function schema.check(wanted, value)
  local found = check(wanted, value)
  if not found then return value end
  local path, sentence = found.path, found.sentence
  if path == "" then return fail(found.code, "the body " .. sentence) end
  return fail(found.code, path .. ": " .. sentence, path)
end

return schema
