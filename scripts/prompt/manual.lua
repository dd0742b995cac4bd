--- What functions do, in the words that stand above them: in the stubs of scripts/types, which
--- editors show, too, and in the scripts themselves.

local globals = require "prompt.globals"
local scripts = require "paraph.scripts"

local manual = {}

---@class manual_entry
---@field signature string   "store.get(collection, id)"
---@field text string        the comment above it, without the marks

--- The comment in front of each function of a file, by the name of the function as it is written
--- there ("store.get", "blob:find").
---@param text string
---@return table<string, manual_entry>
---@return table<string, string> classes  "store" → "paraph.store"
local function read(text)
  local entries, classes, comment, class = {}, {}, {}, nil
  for line in text:gmatch("([^\n]*)\n?") do
    local said = line:match("^%-%-%-%s?(.*)$")
    local name, parameters = line:match("^function ([%w_.:]+)(%b())")
    local variable = line:match("^local ([%w_]+) = ")
    if said then
      class = said:match("^@class ([%w_.]+)") or class
      comment[#comment + 1] = said
    else
      if variable and class then classes[variable] = class end
      if name then
        entries[name] = { signature = name .. parameters, text = table.concat(comment, "\n") }
      end
      comment, class = {}, nil
    end
  end
  return entries, classes
end

local stubs -- "paraph.store.get" → entry

local function stub(full_name)
  if stubs then return stubs[full_name] end
  stubs = {}
  for _, name in ipairs(scripts.names()) do
    if name:find("^types/") then
      local entries, classes = read(scripts.source(name))
      for written, entry in pairs(entries) do
        local owner, member = written:match("^([%w_]+)[.:]([%w_]+)$")
        local class = owner and classes[owner]
        stubs[class and class .. "." .. member or "paraph." .. written] = entry
      end
    end
  end
  return stubs[full_name]
end

local read_files = {} -- by name

local function of_script(module, member)
  local file = module:gsub("%.", "/") .. ".lua"
  if not read_files[file] then
    local text = scripts.source(file)
    if not text then return nil end
    read_files[file] = read(text)
  end
  local own = module:match("[^.]+$")
  return read_files[file][own .. "." .. member]
end

--- What is known of a function: "store.get", "lib.drafts.load".
---@param name string
---@return manual_entry?
function manual.entry(name)
  local owner, member = name:match("^(.*)[.:]([%w_]+)$")
  local module = globals.modules[owner or name] or owner or name
  if not owner then return stub(module) end
  return stub(module .. "." .. member) or of_script(module, member)
end

--- The first sentence of it, with the signature: one line.
---@param name string
---@return string?
function manual.line(name)
  local entry = manual.entry(name)
  if not entry then return nil end
  local text = entry.text:gsub("\n?@.*", ""):gsub("%s+", " ")
  return ("%s  %s"):format(entry.signature, text:match("^(.-%.) ") or text)
end

--- The tags of LuaLS as people read them.
local function plain(text)
  return (text:gsub("@async\n?", "")
    :gsub("@generic [^\n]*\n", "")
    :gsub("@param (%S+) (%S+)", "  %1: %2")
    :gsub("@return ", "  returns "))
end

--- All of it.
---@param name string
---@return string?
function manual.of(name)
  local entry = manual.entry(name)
  return entry and entry.signature .. "\n  " .. plain(entry.text):gsub("\n", "\n  ")
end

return manual
