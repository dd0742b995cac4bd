--- What a Lua source says without being run: its words, and the names in them.

local task = require "paraph.task"

local source = {}

---@class source_word
---@field kind "name"|"string"|"number"|"sign"  a keyword is a name
---@field text string  of a string, what stands between its quotes

local SLICE = 5000 -- words that are read without waiting

--- The end of a quoted string that begins at `from`; nil: there is none.
local function closing_quote(text, from)
  local quote, at = text:sub(from, from), from + 1
  while true do
    at = text:find("[\\\n" .. quote .. "]", at)
    if not at or text:sub(at, at) == quote then return at end
    at = at + (text:sub(at, at) == "\\" and 2 or 1)
  end
end

local function quoted(text, at)
  local last = closing_quote(text, at) or #text
  return "string", text:sub(at + 1, last - 1), last + 1
end

local function sign(text, at)
  return "sign", text:sub(at, at), at + 1
end

local function number(text, at)
  local found, next_at = text:match("^([%w_.]+)()", at)
  return "number", found, next_at
end

--- What begins with this sign: kind, text and the place behind it; a comment has no kind.
local readers = {
  ['"'] = quoted,
  ["'"] = quoted,
  ["["] = function(text, at)
    local _, found, next_at = text:match("^%[(=*)%[(.-)%]%1%]()", at)
    if next_at then return "string", found, next_at end
    return sign(text, at)
  end,
  ["-"] = function(text, at)
    local _, long = text:match("^%-%-%[(=*)%[.-%]%1%]()", at)
    local next_at = long or text:match("^%-%-[^\n]*()", at)
    if next_at then return nil, nil, next_at end
    return sign(text, at)
  end,
}
for digit = 0, 9 do readers[tostring(digit)] = number end

local function next_word(text, at)
  local name, next_at = text:match("^([%a_][%w_]*)()", at)
  if name then return "name", name, next_at end
  return (readers[text:sub(at, at)] or sign)(text, at)
end

--- The words of a source, without its comments.
---@async
---@param text string
---@return source_word[]
function source.words(text)
  local list, at = {}, text:match("^%s*()")
  while at <= #text do
    local kind, found, behind = next_word(text, at)
    if kind then
      list[#list + 1] = { kind = kind, text = found }
      if #list % SLICE == 0 then task.sleep(0) end
    end
    at = text:match("^%s*()", behind)
  end
  return list
end

local function text_at(list, i)
  local word = list[i]
  return word and word.kind ~= "string" and word.text or ""
end

--- Is the name at i being given to something: `name = …`, `function a.name(…)`?
local function is_definition(list, i)
  if text_at(list, i + 1) == "=" and text_at(list, i + 2) ~= "=" then return true end
  local from = i
  while text_at(list, from - 1) == "." or text_at(list, from - 1) == ":" do from = from - 2 end
  return text_at(list, from - 1) == "function" and text_at(list, i + 1) == "("
end

--- `name = name` only hands it on.
local function is_handed_on(list, i)
  return text_at(list, i - 1) == "=" and text_at(list, i - 2) == list[i].text
end

--- Does it require a module whose name it makes up?
---@param list source_word[]
---@return boolean
function source.requires_computed(list)
  for i, word in ipairs(list) do
    if word.kind == "name" and word.text == "require" then
      local at = text_at(list, i + 1) == "(" and i + 2 or i + 1
      local name = list[at]
      if not name or name.kind ~= "string" then return true end
      if text_at(list, at + 1) == "." and text_at(list, at + 2) == "." then return true end
    end
  end
  return false
end

--- How often a name is defined, and how often it is used.
---@param list source_word[]
---@param name string
---@return integer definitions
---@return integer uses
function source.count(list, name)
  local definitions, uses = 0, 0
  for i, word in ipairs(list) do
    if word.kind == "name" and word.text == name then
      if is_definition(list, i) then
        definitions = definitions + 1
      elseif not is_handed_on(list, i) then
        uses = uses + 1
      end
    end
  end
  return definitions, uses
end

return source
