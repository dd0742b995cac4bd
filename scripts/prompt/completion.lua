--- How what is typed could go on.

local commands = require "prompt.commands"
local drafts = require "lib.drafts"
local globals = require "prompt.globals"
local manual = require "prompt.manual"
local operator = require "lib.operator"
local scripts = require "paraph.scripts"

local completion = {}

local IDS = 50

-- --- what there is -------------------------------------------------------------------------------

--- Those that begin with what is typed, in order.
local function matching(names, prefix)
  local found = {}
  for _, name in ipairs(names) do
    if name:sub(1, #prefix) == prefix then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end

local function keys(t)
  local names = {}
  for name in pairs(t) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  return names
end

local function draft_ids()
  local found, ids = drafts.list { limit = IDS }, {}
  for i, draft in ipairs(found or {}) do ids[i] = draft.id end
  return ids
end

local function statuses()
  return operator.statuses
end

local function paths()
  local names, seen = {}, {}
  for _, route in ipairs(require "routes") do
    if not seen[route[2]] then names[#names + 1] = route[2] end
    seen[route[2]] = true
  end
  return names
end

local function templates()
  local names = {}
  for _, name in ipairs(scripts.names()) do
    names[#names + 1] = name:match("^(mail/.+)%.mustache$")
  end
  return names
end

local function modules()
  local names = keys(globals.modules)
  for _, name in ipairs(scripts.names()) do
    local module = name:match("^(.+)%.lua$")
    if module then names[#names + 1] = (module:gsub("/", ".")) end
  end
  for _, module in pairs(globals.modules) do names[#names + 1] = module end
  return names
end

-- --- Lua -----------------------------------------------------------------------------------------

--- The value of "a.b.c", as far as it can be had without running anything of its own.
local function value_of(path)
  local value
  for name in path:gmatch("[%a_][%w_]*") do
    if value == nil then
      value = globals.env[name]
    else
      if type(value) ~= "table" then return nil end
      value = value[name]
    end
    if value == nil then return nil end
  end
  return value
end

local function global_names()
  local names = keys(globals.env)
  for name in pairs(globals.modules) do names[#names + 1] = name end
  for name in pairs(_G) do names[#names + 1] = name end
  return names
end

local function names_of(path)
  local owner, dot, prefix = path:match("^(.-)([.:]?)([%w_]*)$")
  if dot == "" then return matching(global_names(), prefix), owner .. dot end
  local ok, value = pcall(value_of, owner)
  if not ok or type(value) ~= "table" then return {}, owner .. dot end
  return matching(keys(value), prefix), owner .. dot
end

--- Members and globals, written as far as the candidate.
local function complete_name(text)
  local path = text:match("[%a_][%w_.:]*$") or ""
  local names, owner = names_of(path)
  for i, name in ipairs(names) do names[i] = owner .. name end
  return names, path
end

--- What a text literal that is not closed yet may be.
local function complete_text(before, typed)
  if before:find("require%s*%(?%s*$") then return matching(modules(), typed), typed end
  if before:find("template%s*=%s*$") or typed:find("^mail/") then
    return matching(templates(), typed), typed
  end
  if typed:find("^/") then return matching(paths(), typed), typed end
  return matching(draft_ids(), typed), typed
end

local function complete_lua(text)
  local before, typed = text:match("^(.*)[\"']([^\"']*)$")
  local _, quotes = text:gsub("[\"']", "")
  if before and quotes % 2 == 1 then return complete_text(before, typed) end
  return complete_name(text)
end

-- --- commands ------------------------------------------------------------------------------------

local ARGUMENTS = { draft = draft_ids, status = statuses }

--- Candidates and what they stand for; nil: its argument is Lua.
local function complete_argument(command, rest)
  if ARGUMENTS[command.complete] and not rest:find("[%s{]") then
    return matching(ARGUMENTS[command.complete](), rest), rest
  end
  if command.complete ~= "route" then return nil end
  local typed = rest:match("^%u+%s+(/%S*)$")
  if typed then return matching(paths(), typed), typed end
  if rest:find("^%u*$") then return matching({ "GET", "POST", "PATCH" }, rest), rest end
end

local function complete_command(text)
  local name, rest = text:match("^%s*:(%a*)%s+(.*)$")
  if name then
    local command = commands.by_name[name]
    if not command then return {}, rest end
    return complete_argument(command, rest)
  end
  local typed, names = text:match("(:%a*)$"), {}
  for i, command in ipairs(commands.list) do names[i] = ":" .. command[1] end
  return matching(names, typed or ":"), typed or ""
end

---@async
---@param text string   up to the cursor
---@return string[] candidates
---@return string typed   the end of the text, in place of which each of them could stand
---@return string? help   of the only one
function completion.of(text)
  local candidates, typed
  if text:find("^%s*:") then candidates, typed = complete_command(text) end
  if not candidates then candidates, typed = complete_lua(text) end
  local only = #candidates == 1 and candidates[1]
  local help = only and (only:sub(1, 1) == ":" and commands.help(only:sub(2)) or manual.line(only))
  return candidates, typed, help or nil
end

return completion
