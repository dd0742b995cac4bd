--- The templates of this generation: found by name, all of them checked when it is loaded, each
--- compiled when it is first needed (a generation is one Lua state, so this module's table lives as
--- long as it), rendered.
---
--- A name is a path below the templates directory without its extension, in tags too: in every
--- template {{<mail/layout}} means mail/layout.mustache.

local mustache = require "lib.mustache"
local sources = require "paraph.templates"

local EXTENSION = ".mustache"
local LONGEST_NAME = 200

--- Names come from callers (`template`, and {{>*name}} through their variables).
local function is_name(name)
  return #name <= LONGEST_NAME and name:find("^[%w_-][%w_/.-]*$") ~= nil
    and not name:find("..", 1, true)
end

--- Templates over some sources: `read(file)` gives a text, or nil.
local function over(read)
  local templates = {}
  -- Only what exists: else callers could fill the memory with names.
  local compiled = {}

  --- The template of that name; nil alone if there is none, nil and a message if it is broken.
  ---@param name string
  ---@return table?
  ---@return string?
  function templates.load(name)
    if compiled[name] then return compiled[name] end
    local file = name .. EXTENSION
    local source = is_name(name) and read(file)
    if not source then return nil end
    local template, message = mustache.compile(source, file)
    compiled[name] = template
    return template, message
  end

  local function find_partial(name)
    local template, message = templates.load(name)
    if template then return template end
    return nil, message or "there is no such template"
  end

  --- Raises if there is no such template, or it fails.
  ---@param name string       e.g. "pages/review"
  ---@param vars? table
  ---@return string html
  function templates.render(name, vars)
    local template, message = find_partial(name)
    if not template then error(("template '%s': %s"):format(name, message), 0) end
    return template:render(vars, find_partial)
  end

  local function invalid(field, message)
    return nil, { code = "invalid_field", field = field, message = field .. ": " .. message }
  end

  --- The body of a mail: name is that of a template in mail/. Raises if the template is at fault.
  ---@param name string       from the caller, e.g. "welcome"
  ---@param vars? table
  ---@return string? html
  ---@return paraph.err? err
  function templates.render_mail(name, vars)
    local path = "mail/" .. name
    local template, message = templates.load(path)
    if not template and not message then
      return invalid("template", ("there is no mail template '%s'"):format(name))
    end
    local ok, html = pcall(templates.render, path, vars)
    if ok then return html end
    if mustache.is_value_fault(html) then return invalid("vars", tostring(html)) end
    error(html, 0)
  end

  return templates
end

local templates = over(sources.read)
templates.over = over

--- Check every template there is. Raises for the first that is broken.
function templates.check()
  local files = sources.list()
  table.sort(files)
  for _, file in ipairs(files) do
    local is_found = is_name(file:sub(1, -#EXTENSION - 1))
    local message = is_found and mustache.check(sources.read(file), file)
    if message then error(message, 0) end
  end
end

return templates
