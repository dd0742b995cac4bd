--- Templates and data: rendering gives text, or an error with its place; the same again gives the
--- same; and what is printed escaped cannot leave the text it stands in.
---
--- The input is four fields with bytes FF between: a template, JSON, and the templates "p" and "q".

local json = require "paraph.json"
local mustache = require "lib.mustache"
local parser = require "lib.mustache_parser"

local NAMES = { "t", "data", "p", "q" }
local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;",
}

local function split(input)
  local fields, n = {}, 0
  for field in (input .. "\xFF"):gmatch("([^\xFF]*)\xFF") do
    n = n + 1
    if NAMES[n] then fields[NAMES[n]] = field end
  end
  return fields
end

local function is_placed(message)
  return type(message) == "string" and message:find("^[tpq]:%d+: .") ~= nil
end

local function compile(source, name)
  local template, message = mustache.compile(source, name)
  assert(template or is_placed(message), message)
  return template, message
end

--- The text; nil and the error.
local function render(sources, context)
  local compiled = {}
  local function partials(name)
    if not compiled[name] and sources[name] and name ~= "data" then
      local template, message = compile(sources[name], name)
      if not template then return nil, message end
      compiled[name] = template
    end
    return compiled[name]
  end
  local template, message = compile(sources.t, "t")
  if not template then return nil, message end
  local ok, result = pcall(template.render, template, context, partials)
  if ok then return assert(type(result) == "string" and result) end
  assert(is_placed(tostring(result)), tostring(result))
  return nil, tostring(result)
end

--- Is anything in the tree printed as it is?
local function prints_raw(nodes)
  for _, node in ipairs(nodes) do
    if node.kind == "raw" or node.body and prints_raw(node.body) then return true end
  end
  return false
end

local function any_raw(sources)
  for _, name in ipairs { "t", "p", "q" } do
    local tree = sources[name] and parser.parse(sources[name], name)
    if tree and prints_raw(tree) then return true end
  end
  return false
end

--- A copy in whose strings each of the characters to be escaped is a word that needs none. Names
--- stay as they are.
local function in_words(value)
  if type(value) == "string" then
    return (value:gsub("[&<>\"']", function(c) return ("\1%d\2"):format(c:byte()) end))
  elseif type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, member in pairs(value) do copy[key] = in_words(member) end
  return setmetatable(copy, getmetatable(value))
end

local function out_of_words(text)
  return (text:gsub("\1(%d+)\2", function(code) return ENTITIES[string.char(code)] end))
end

return function(input)
  local sources = split(input)
  local context = sources.data and json.decode(sources.data)
  local text, message = render(sources, context)
  local again, why = render(sources, context)
  assert(text == again and message == why, "the same again gives something else")
  if not text or input:find("[\1\2]") or (sources.data or ""):find("\\u000[12]")
    or any_raw(sources) then
    return
  end
  local words = render(sources, in_words(context))
  assert(not words or out_of_words(words) == text, "a value was not escaped")
end
