--- `paraph check`: which policies, scripts, templates and settings are in force, and what is odd
--- about them (`lib/odd.lua`).

local environ = require "paraph.environ"
local hooks = require "lib.hooks"
local odd = require "lib.odd"
local task = require "paraph.task"

local inventory = {}

---@class check_line
---@field [1] "ok"|"odd"|"differs"|"failed"
---@field [2] string   what it is about
---@field [3] string   one line
---@field [4]? string  another one

--- All scripts and templates by name, as the host has read them. A shipped script that is shadowed
--- is there under "shipped/…".
---@class check_tree
---@field scripts table<string, check_file>
---@field templates table<string, check_file>
---@field variables string[]       set in the environment: those whose names begin with POLICY_
---@field scripts_dir? string      the overlays
---@field templates_dir? string

---@class check_file
---@field shipped boolean   else it is in the overlay
---@field shadows boolean   a shipped file of its name
---@field text? string      of the overlay's

local function origin_of(file)
  return file.shipped and "shipped" or "overlay"
end

--- The names of a table in order.
local function sorted(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function add(lines, ...)
  lines[#lines + 1] = { ... }
end

-- --- hooks ---------------------------------------------------------------------------------------

local function add_hook(lines, tree, module_name, hook)
  local name, what = hook[1], hook[2]
  local script = module_name:gsub("%.", "/") .. ".lua"
  local at = hooks.where(module_name, name)
  local written_in = at:match("^[^:]*")
  local origin, note = origin_of(tree.scripts[script]), nil
  if written_in == "shipped/" .. script then
    origin, note = "shipped", script .. " of the overlay leaves it as it is"
  elseif written_in ~= script then
    note = script .. " of the overlay had it made there"
  end
  add(lines, "ok", module_name:match("[^.]+$") .. "." .. name,
    ("%s  %-30s %s"):format(origin, at, what), note)
end

local function add_hooks(lines, tree)
  for _, entry in ipairs(hooks.modules) do
    for _, hook in ipairs(entry.hooks) do add_hook(lines, tree, entry.module, hook) end
  end
end

-- --- files and settings --------------------------------------------------------------------------

local function add_scripts(lines, tree)
  for _, name in ipairs { "access.lua", "routes.lua", "jobs.lua", "settings.lua" } do
    add(lines, "ok", name, origin_of(tree.scripts[name]))
  end
end

local function add_overlay(lines, files, kind)
  for _, name in ipairs(sorted(files)) do
    if not files[name].shipped then
      add(lines, "ok", kind, ("overlay  %-30s %s"):format(name,
        files[name].shadows and "shadows the shipped one" or "is new"))
    end
  end
end

--- Never the values: they may be secret.
local function add_settings(lines)
  for _, name in ipairs(sorted(require "settings")) do
    local variable = "POLICY_" .. name:upper()
    add(lines, "ok", variable, environ(variable) and "set" or "default")
  end
end

---@async
---@param tree check_tree
---@return check_line[]
function inventory.lines(tree)
  local lines = {}
  add_hooks(lines, tree)
  add_scripts(lines, tree)
  add_overlay(lines, tree.scripts, "script")
  add_overlay(lines, tree.templates, "template")
  add_settings(lines)
  task.sleep(0) -- what follows is a slice of its own
  for _, line in ipairs(odd.lines(tree)) do lines[#lines + 1] = line end
  return lines
end

return inventory
