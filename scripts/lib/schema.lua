--- Checks JSON values against schemas. A schema is a table in the words of JSON Schema (2020-12),
--- as far as requests need them, so that it can be published as it stands:
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

--- What a text of a format is (a predicate), and the sentence for one that is not.
local formats = {
  text = {
    is = function(value) return not value:find("\0", 1, true) end,
    wanted = "must not contain NUL characters",
  },
  line = {
    is = text.is_line,
    wanted = "must be one line without control characters",
  },
  uuid = { is = crypto.is_uuid, wanted = "must be a UUID" },
}

local LONGEST_NAME = 64 -- bytes of a member's name that an answer repeats

local articles = {
  string = "a string", boolean = "true or false", integer = "an integer",
  object = "an object", array = "an array",
}

local function shortened(name)
  if #name <= LONGEST_NAME then return name end
  return name:sub(1, utf8.offset(name, 0, LONGEST_NAME + 1) - 1) .. "…"
end

local function invalid(path, sentence)
  if path == "" then return fail("invalid_field", "the body " .. sentence) end
  return fail("invalid_field", path .. ": " .. sentence, path)
end

--- The JSON type of a value as schemas name it. A table that nobody marked is an array if it holds
--- something at 1.
local function type_of(value, wanted)
  local kind = type(value)
  if value == json.null then return "null" end
  if kind == "number" then return math.type(value) == "integer" and "integer" or "number" end
  if kind == "userdata" and wanted.contentEncoding then return "string" end
  if kind ~= "table" then return kind end
  if getmetatable(value) == json.array_mt or value[1] ~= nil then return "array" end
  return "object"
end

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then return true end
  end
  return false
end

local check

local function check_string(wanted, value, path)
  local length = wanted.contentEncoding and #value or utf8.len(value)
  if not length then return invalid(path, "is not valid UTF-8") end
  if length < (wanted.minLength or 0) then return invalid(path, "must not be empty") end
  if wanted.maxLength and length > wanted.maxLength then
    return invalid(path, ("is longer than %d characters"):format(wanted.maxLength))
  end
  local format = formats[wanted.format]
  if format and not format.is(value) then return invalid(path, format.wanted) end
  return true
end

local function check_integer(wanted, value, path)
  if value < (wanted.minimum or value) or value > (wanted.maximum or value) then
    return invalid(path, ("must be from %d to %d"):format(wanted.minimum, wanted.maximum))
  end
  return true
end

local function check_array(wanted, value, path)
  if wanted.maxItems and #value > wanted.maxItems then
    return invalid(path, ("has more than %d items"):format(wanted.maxItems))
  end
  for i, item in ipairs(wanted.items and value or {}) do
    local ok, err = check(wanted.items, item, ("%s[%d]"):format(path, i - 1))
    if not ok then return nil, err end
  end
  return true
end

local function check_object(wanted, value, path)
  if not wanted.properties then return true end
  local prefix = path == "" and "" or path .. "."
  for name, member in pairs(value) do
    local property = wanted.properties[name]
    if not property then
      local at = prefix .. shortened(tostring(name))
      return fail("unknown_field", at .. ": there is no such field", at)
    end
    if member == json.null then
      value[name] = nil
    else
      local ok, err = check(property, member, prefix .. name)
      if not ok then return nil, err end
    end
  end
  for _, name in ipairs(wanted.required or {}) do
    if value[name] == nil then return invalid(prefix .. name, "is missing") end
  end
  return true
end

local checks = {
  string = check_string, integer = check_integer, array = check_array, object = check_object,
}

function check(wanted, value, path)
  local types = type(wanted.type) == "table" and wanted.type or { wanted.type }
  local kind = type_of(value, wanted)
  if not contains(types, kind) then
    local wants = {}
    for i, name in ipairs(types) do wants[i] = articles[name] end
    return invalid(path, "must be " .. table.concat(wants, " or "))
  end
  if wanted.enum and not contains(wanted.enum, value) then
    return invalid(path, "must be one of " .. table.concat(wanted.enum, ", "))
  end
  if checks[kind] then return checks[kind](wanted, value, path) end
  return true
end

--- Check a decoded JSON value. Takes null members away from it (not from objects that take
--- anything).
---@param wanted schema
---@param value any
---@return any value         the value itself; nil on failure
---@return paraph.err? err   `invalid_field` or `unknown_field`, with the field's path
function schema.check(wanted, value)
  local ok, err = check(wanted, value, "")
  if not ok then return nil, err end
  return value
end

return schema
