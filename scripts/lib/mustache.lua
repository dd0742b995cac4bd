--- Mustache templates: the official specification, with inheritance ({{<layout}}, {{$block}}) and
--- dynamic names ({{>*name}}), without lambdas.
---
---   local template, message = mustache.compile(source, "mail/welcome.mustache")
---   local html = template:render(context, partials)
---
--- Values are data: whatever they hold is printed, escaped, and never read as a template.
---
---   missing, json.null   print nothing
---   integers, floats     "42"; "%.14g", so 2.50 is "2.5" and 3.0 is "3"
---   booleans             "true", "false"
---   lists, objects       cannot be printed: an error, as are functions anywhere
---
--- A section is left out for a missing value, json.null, false, "" and every table without members
--- (Lua does not tell an empty list from an empty object, and neither has anything to show). It is
--- repeated for a table with a first element, and shown once for all else, 0 included.
---
--- Errors have name and line: "mail/welcome.mustache:12: section 'items' is not closed". compile
--- returns them, render raises them as strings.

local json = require "paraph.json"
local text = require "paraph.text"
local parser = require "lib.mustache_parser"

local MAX_OUTPUT_BYTES = 8 * 1024 * 1024
local MAX_DEPTH = 32
-- What a piece of output costs beside its bytes.
local PIECE_BYTES = 16

local template_methods = {}
template_methods.__index = template_methods

-- A rendering is { pieces, size, contexts, top, partials }. What differs from place to place is a
-- scope, never changed once made: { indent, arguments, depth }. Arguments are what fills the blocks
-- of the template that is included, by name: { body, arguments }, the latter for the blocks in it,
-- which belong to the template it was written in. A compiled body is a list of functions
-- (rendering, scope).

local function fail(node, format, ...)
  error(node.at .. ": " .. format:format(...), 0)
end

-- What the values are to blame for is raised as a table, so that a caller can tell it from a fault
-- of a template.
local value_fault = { __tostring = function(fault) return fault.message end }

local function blame_values(node, format, ...)
  error(setmetatable({ message = node.at .. ": " .. format:format(...) }, value_fault), 0)
end

local function write(rendering, node, s)
  if s == "" then return end
  rendering.size = rendering.size + #s + PIECE_BYTES
  if rendering.size > MAX_OUTPUT_BYTES then
    blame_values(node, "the output is larger than %d bytes", MAX_OUTPUT_BYTES)
  end
  local pieces = rendering.pieces
  pieces[#pieces + 1] = s
end

local function run(body, rendering, scope)
  for i = 1, #body do body[i](rendering, scope) end
end

--- Note that a template uses a variable; its path: "a.b" as { "a", "b" }, "." as {}.
local function use_variable(template, name)
  local path = {}
  if name ~= "." then template.variables[name] = true end
  for part in name:gmatch("[^.]+") do path[#path + 1] = part end
  return path
end

--- The value of a path: its first part from the innermost context that has it, the others from
--- that value alone.
local function look_up(rendering, node, path)
  local contexts, top = rendering.contexts, rendering.top
  local first, value = path[1], nil
  if not first then
    value = contexts[top]
  else
    for i = top, 1, -1 do
      local context = contexts[i]
      if type(context) == "table" then
        value = context[first]
        if value ~= nil then break end
      end
    end
    for i = 2, #path do
      if type(value) ~= "table" then return nil end
      value = value[path[i]]
    end
  end
  if type(value) == "function" then
    blame_values(node, "'%s': functions are not values in templates", node.name)
  end
  return value
end

local function to_text(node, value)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif value == nil or value == json.null then
    return ""
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind == "number" then
    return math.type(value) == "integer" and tostring(value) or ("%.14g"):format(value)
  end
  blame_values(node, "'%s' is a %s, not text", node.name, kind)
end

local function is_absent(value)
  return not value or value == json.null or value == ""
    or type(value) == "table" and next(value) == nil
end

local compile_body

-- How each kind of node is compiled: (node, template) to a function (rendering, scope).
local compilers = {}

--- Few texts are ever indented: they are cut when one is.
function compilers.text(node)
  local pieces
  return function(rendering, scope)
    local indent = scope.indent
    if indent == "" then return write(rendering, node, node.text) end
    pieces = pieces or parser.pieces(node)
    write(rendering, node, table.concat(pieces, indent))
  end
end

function compilers.raw(node, template)
  local path = use_variable(template, node.name)
  return function(rendering)
    write(rendering, node, to_text(node, look_up(rendering, node, path)))
  end
end

function compilers.escaped(node, template)
  local path = use_variable(template, node.name)
  return function(rendering)
    write(rendering, node, text.escape(to_text(node, look_up(rendering, node, path))))
  end
end

function compilers.section(node, template)
  local path, body = use_variable(template, node.name), compile_body(node.body, template)
  local function show(rendering, scope, value)
    local top = rendering.top + 1
    rendering.contexts[top], rendering.top = value, top
    run(body, rendering, scope)
    rendering.top = top - 1
  end
  return function(rendering, scope)
    local value = look_up(rendering, node, path)
    if is_absent(value) then
      return
    elseif type(value) == "table" and value[1] ~= nil then
      for i = 1, #value do show(rendering, scope, value[i]) end
    else
      show(rendering, scope, value)
    end
  end
end

function compilers.inverted(node, template)
  local path, body = use_variable(template, node.name), compile_body(node.body, template)
  return function(rendering, scope)
    if is_absent(look_up(rendering, node, path)) then run(body, rendering, scope) end
  end
end

--- Arguments for a parent: those that were given to us for ours come before our own.
local function bind_arguments(bodies, scope)
  local arguments = {}
  for name, body in pairs(bodies) do
    arguments[name] = { body = body, arguments = scope.arguments }
  end
  for name, argument in pairs(scope.arguments) do arguments[name] = argument end
  return arguments
end

--- A partial is a parent without arguments of its own.
local function compile_include(node, template, sigil, bodies)
  local dynamic = node.name:match("^%*(.*)")
  local path = dynamic and use_variable(template, dynamic)
  if dynamic then template.is_dynamic = true else template.partials[node.name] = true end
  local tag = ("{{%s%s}}"):format(sigil, node.name)
  return function(rendering, scope)
    local name = node.name
    if path then
      name = look_up(rendering, node, path)
      if name == nil or name == json.null then return end
      if type(name) ~= "string" then blame_values(node, "%s: '%s' is not a name", tag, dynamic) end
    end
    local included, why = rendering.partials(name)
    if not included then
      if why then fail(node, "%s: %s", tag, why) end
      return
    end
    if scope.depth == MAX_DEPTH then
      fail(node, "%s: templates are nested deeper than %d", tag, MAX_DEPTH)
    end
    run(included.body, rendering, {
      indent = node.alone and scope.indent .. node.indent or "",
      arguments = bodies and bind_arguments(bodies, scope) or scope.arguments,
      depth = scope.depth + 1,
    })
  end
end

function compilers.partial(node, template)
  return compile_include(node, template, ">")
end

function compilers.parent(node, template)
  local bodies = {}
  for _, child in ipairs(node.body) do
    if child.kind == "block" then
      bodies[child.name] = compile_body(child.body, template)
      bodies[child.name].starts_line = child.starts_line
      bodies[child.name].ends_line = child.ends_line
    end
  end
  return compile_include(node, template, "<", bodies)
end

--- A parameter: the argument of that name, or else what the block itself holds. A block that has
--- lines of its own is filled by whole lines, however the argument was written.
function compilers.block(node, template)
  local default = compile_body(node.body, template)
  default.starts_line, default.ends_line = node.starts_line, node.ends_line
  return function(rendering, scope)
    local argument = scope.arguments[node.name]
    local body = argument and argument.body or default
    local inner = scope
    if argument then
      inner = {
        indent = node.own_lines and scope.indent .. node.margin or "",
        arguments = argument.arguments,
        depth = scope.depth,
      }
    end
    if node.own_lines and not body.starts_line then
      write(rendering, node, scope.indent .. node.margin)
    end
    run(body, rendering, inner)
    if node.own_lines and not body.ends_line then write(rendering, node, node.eol) end
  end
end

function compile_body(nodes, template)
  local body = {}
  for i, node in ipairs(nodes) do
    node.at = ("%s:%d"):format(template.name, node.line)
    body[i] = compilers[node.kind](node, template)
  end
  return body
end

local mustache = {}

--- Compile once, render often.
---@param source string
---@param name string         for messages
---@return table? template    with .variables and .partials: sets of the names in its tags; and
---                            .is_dynamic: some names are known only when it is rendered
---@return string? message
function mustache.compile(source, name)
  local tree, message = parser.parse(source, name)
  if not tree then return nil, message end
  local template = setmetatable({ name = name, variables = {}, partials = {} }, template_methods)
  template.body = compile_body(tree, template)
  return template
end

--- What compile() would find wrong, without what that would make: the message; nil: nothing.
---@param source string
---@param name string         for messages
---@return string? message
function mustache.check(source, name)
  return parser.check(source, name)
end

--- Whether an error that render raised is the values' fault, not the template's.
---@param raised any
---@return boolean
function mustache.is_value_fault(raised)
  return getmetatable(raised) == value_fault
end

local function no_partials() return nil end

--- Render with a context, which may be any value. `partials` finds a template by the name in a
--- tag: the template; nil to print nothing; or nil and a message to fail.
---@param context any
---@param partials? fun(name: string): table?, string?
---@return string             raises what tostring() turns into a sentence with the position
function template_methods:render(context, partials)
  local rendering = {
    pieces = {}, size = 0, contexts = { context }, top = 1, partials = partials or no_partials,
  }
  run(self.body, rendering, { indent = "", arguments = {}, depth = 0 })
  return table.concat(rendering.pieces)
end

return mustache
