--- The commands of the prompt, all that begin with a colon.

local manual = require "prompt.manual"

local commands = {}

--- What a command is given, besides the text behind its name, and gives back, is that of
--- session.run().
---@class prompt_command
---@field [1] string        its name
---@field [2] string        its arguments, for people: in brackets if it goes without
---@field [3] string        what it does, in a line
---@field run fun(rest: string, host: prompt_host): string, string?, string?
---@field complete? string  what its argument is: "draft", "status", "route", "name"

local function all_of(...)
  local list, by_name = {}, {}
  for _, module in ipairs { ... } do
    for _, command in ipairs(require(module)) do
      list[#list + 1], by_name[command[1]] = command, command
    end
  end
  return list, by_name
end

---@type prompt_command[]
commands.list, commands.by_name = all_of("prompt.look", "prompt.try", "prompt.service")

local ALIASES = { q = "quit", exit = "quit", h = "help", ["?"] = "help" }

local function line_of(command)
  local call = ":" .. command[1] .. (command[2] ~= "" and " " .. command[2] or "")
  return ("  %-32s %s"):format(call, command[3])
end

--- A command in one line, with its arguments.
---@param name string
---@return string?
function commands.help(name)
  local command = commands.by_name[name]
  return command and line_of(command)
end

local function overview()
  local lines = { "Lua, with the modules of the service (store.get, mail.signature …), or:" }
  for _, command in ipairs(commands.list) do lines[#lines + 1] = line_of(command) end
  lines[#lines + 1] = "Tab completes, `_` is the last result, and Ctrl-C ends what takes too long."
  return table.concat(lines, "\n")
end

local function help(rest)
  if rest == "" then return "shown", overview() end
  local name = rest:gsub("^:", "")
  local text = commands.help(name) or manual.of(name)
  if text then return "shown", text end
  return "failed", ("nothing is known of %s"):format(rest)
end

table.insert(commands.list, 1,
  { "help", "[NAME]", "this, or what a function does: :help store.get", run = help,
    complete = "name" })
commands.by_name.help = commands.list[1]

---@async
---@param name string
---@param rest string
---@param host prompt_host
---@return string word
---@return string? text
---@return string? more
function commands.run(name, rest, host)
  local command = commands.by_name[ALIASES[name] or name]
  if not command then
    return "failed", (":%s is no command; :help lists them"):format(name)
  end
  if rest == "" and command[2]:find("^[^%[]") then
    return "failed", (":%s needs %s: %s"):format(command[1], command[2], command[3])
  end
  return command.run(rest, host)
end

return commands
