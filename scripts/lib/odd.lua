--- What is odd about the scripts, templates and settings of an operator: what has no effect, and
--- surely was meant to have one. Each is told only where it can be known; none keeps anything from
--- going live.

local hooks = require "lib.hooks"
local policy = require "paraph.policy"
local route_pattern = require "lib.route_pattern"
local settings = require "lib.settings"
local source = require "lib.source"
local task = require "paraph.task"
local templates = require "lib.templates"

local odd = {}

-- --- names ---------------------------------------------------------------------------------------

--- How many letters must be put in, taken out or replaced to make one word of the other; infinite
--- if it is more than `most`.
local function distance(a, b, most)
  local letters, others = { a:byte(1, -1) }, { b:byte(1, -1) }
  local row = {}
  for j = 0, #others do row[j] = j end
  for i, letter in ipairs(letters) do
    local diagonal, least = row[0], i
    row[0] = i
    for j, other in ipairs(others) do
      local cost = letter == other and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      if row[j] < least then least = row[j] end
    end
    if least > most then return math.huge end
  end
  return row[#others]
end

--- ": did you mean decide?", if one of the names is nearly the word; else "".
local function suggestion(word, names)
  local best, least
  local most = math.min(math.max(2, #word // 4), #word // 2 - 1)
  for _, name in ipairs(names) do
    local d = math.abs(#word - #name) <= most and distance(word, name, most) or math.huge
    if d <= most and (not least or d < least) then best, least = name, d end
  end
  return best and (": did you mean %s?"):format(best) or "", best
end

--- The keys of a table that are texts, in order.
local function sorted(set)
  local names = {}
  for name in pairs(set) do
    if type(name) == "string" then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function is_test(name)
  return name:find("_test%.lua$") ~= nil
end

local function module_of(script)
  return (script:gsub("%.lua$", ""):gsub("/", "."))
end

-- --- what is looked at ---------------------------------------------------------------------------

---@class odd_look
---@field tree check_tree
---@field overlay string[]   the names of its scripts, in order
---@field words table<string, source_word[]>   of each of them
---@field strings table<string, boolean>       in any of them
---@field lines check_line[]

local function tell(look, subject, format, ...)
  local line = { "odd", subject, format:format(...) }
  look.lines[#look.lines + 1] = line
  return line
end

local function look_at(tree)
  local look = { tree = tree, overlay = {}, words = {}, strings = {}, lines = {} }
  for _, name in ipairs(sorted(tree.scripts)) do
    local file = tree.scripts[name]
    if not file.shipped then
      look.overlay[#look.overlay + 1] = name
      look.words[name] = source.words(file.text)
      for _, word in ipairs(look.words[name]) do
        if word.kind == "string" then look.strings[word.text] = true end
      end
      task.sleep(0) -- each file is a slice of its own
    end
  end
  return look
end

-- --- hooks ---------------------------------------------------------------------------------------

--- Is a function of a module defined by its name, and that name then used nowhere but in tests?
local function is_unused(look, script, name)
  local defined = source.count(look.words[script], name) > 0
  for _, other in ipairs(look.overlay) do
    local _, uses = source.count(look.words[other], name)
    if uses > 0 and not is_test(other) then return false end
  end
  return defined
end

--- Functions of a policy that nobody calls: most likely a hook under a wrong name.
local function look_at_hooks(look)
  for _, entry in ipairs(hooks.modules) do
    local script = entry.module:gsub("%.", "/") .. ".lua"
    local is_hook, names = {}, {}
    for i, hook in ipairs(entry.hooks) do is_hook[hook[1]], names[i] = true, hook[1] end
    local own = look.words[script] and require(entry.module) or {}
    for _, name in ipairs(sorted(own)) do
      if not is_hook[name] and type(own[name]) == "function" and is_unused(look, script, name) then
        tell(look, script, "nothing calls %s.%s (%s)%s", entry.module:match("[^.]+$"), name,
          policy.where(own[name]), (suggestion(name, names)))
      end
    end
  end
end

-- --- scripts -------------------------------------------------------------------------------------

--- A file that only describes types to an editor.
local function is_description(look, script)
  return look.tree.scripts[script].text:find("%f[^\n\0]%-%-%-@meta") ~= nil
end

local function shipped_scripts(look)
  local names = {}
  for name, file in pairs(look.tree.scripts) do
    if (file.shipped or file.shadows) and not name:find("^shipped/") then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

local function look_at_unrequired(look)
  for _, script in ipairs(look.overlay) do
    if source.requires_computed(look.words[script]) then return end
  end
  local shipped = shipped_scripts(look)
  for _, script in ipairs(look.overlay) do
    task.sleep(0)
    if not look.tree.scripts[script].shadows and not is_test(script)
      and not look.strings[module_of(script)] and not is_description(look, script) then
      tell(look, script, "nothing requires it, and it shadows nothing%s",
        (suggestion(script, shipped)))
    end
  end
end

--- Directories of the shipped scripts: a test in one of these is named for what it is about.
local function is_shipped_directory(shipped, directory)
  if directory == "" then return false end
  for _, name in ipairs(shipped) do
    if name:sub(1, #directory) == directory then return true end
  end
  return false
end

local function look_at_tests(look)
  local shipped = shipped_scripts(look)
  for _, script in ipairs(look.overlay) do
    task.sleep(0)
    local file = look.tree.scripts[script]
    local subject = script:gsub("_test%.lua$", ".lua")
    local test = script:gsub("%.lua$", "_test.lua")
    if is_test(script) and not look.tree.scripts[subject] then
      local hint, nearest = suggestion(subject, shipped)
      if nearest or is_shipped_directory(shipped, script:match("^(.-)[^/]*$")) then
        tell(look, script, "there is no %s%s", subject, hint)
      end
    elseif file.shadows and look.tree.scripts[test] and look.tree.scripts[test].shipped then
      tell(look, script, "has no test (%s is about the shipped one)", test)
    end
  end
end

-- --- routes --------------------------------------------------------------------------------------

local function look_at_routes(look)
  local list = require "routes"
  local function name(i) return ("route %d (%s %s)"):format(i, list[i][1], list[i][2]) end
  for i, route in ipairs(list) do
    local why = route_pattern.fault(route[2])
    if why then tell(look, "routes.lua", "%s %s", name(i), why) end
    for k = 1, i - 1 do
      if route_pattern.covers(list[k], route) then
        tell(look, "routes.lua", "%s is never reached", name(i))[4] = name(k) .. " takes all of it"
        break
      end
    end
  end
end

-- --- templates -----------------------------------------------------------------------------------

local EXTENSION = "%.mustache$"

--- What each template includes, by name: of all of them together; and whether one says so only
--- when it is rendered.
local function included_of(look)
  local included, dynamic = {}, false
  for _, file in ipairs(sorted(look.tree.templates)) do
    local template = templates.load((file:gsub(EXTENSION, "")))
    for name in pairs(template and template.partials or {}) do
      included[name] = included[name] or file
    end
    dynamic = dynamic or template ~= nil and template.is_dynamic
  end
  return included, dynamic
end

local function look_at_templates(look)
  local included, dynamic = included_of(look)
  local names = {}
  for file in pairs(look.tree.templates) do names[#names + 1] = file:gsub(EXTENSION, "") end
  table.sort(names)
  for _, name in ipairs(sorted(included)) do
    if not look.tree.templates[name .. ".mustache"] then
      tell(look, included[name], "includes '%s', which does not exist%s",
        name, (suggestion(name, names)))
    end
  end
  for _, name in ipairs(dynamic and {} or names) do
    local file = look.tree.templates[name .. ".mustache"]
    if not file.shipped and not file.shadows and not included[name]
      and not name:find("^mail/") and not name:find("^pages/") and not look.strings[name] then
      tell(look, name .. ".mustache", "no template includes it, and it is none of mail/ or pages/")
    end
  end
end

-- --- settings ------------------------------------------------------------------------------------

local function look_at_settings(look)
  local variables, declared = {}, {}
  for name in pairs(settings) do variables[#variables + 1] = "POLICY_" .. name:upper() end
  for _, variable in ipairs(variables) do declared[variable] = true end
  table.sort(variables)
  for _, variable in ipairs(look.tree.variables) do
    if not declared[variable] then
      tell(look, variable, "is set, but settings.lua declares no such setting%s",
        (suggestion(variable, variables)))
    end
  end
end

--- An overlay without a single file.
local function look_at_directories(look)
  local function is_overlaid(files)
    for _, file in pairs(files) do
      if not file.shipped then return true end
    end
    return false
  end
  if look.tree.scripts_dir and not is_overlaid(look.tree.scripts) then
    tell(look, "SCRIPTS_DIR", "there is no .lua file below %s", look.tree.scripts_dir)
  end
  if look.tree.templates_dir and not is_overlaid(look.tree.templates) then
    tell(look, "TEMPLATES_DIR", "there is no .mustache file below %s", look.tree.templates_dir)
  end
end

---@async
---@param tree check_tree
---@return check_line[]
function odd.lines(tree)
  local look = look_at(tree)
  look_at_hooks(look)
  look_at_unrequired(look)
  look_at_tests(look)
  look_at_routes(look)
  look_at_templates(look)
  look_at_settings(look)
  look_at_directories(look)
  return look.lines
end

return odd
