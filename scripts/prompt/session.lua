--- What a line at the prompt does. The host (core/prompt.c) calls these four, and prints what they
--- return.

local commands = require "prompt.commands"
local completion = require "prompt.completion"
local failures = require "prompt.failures"
local globals = require "prompt.globals"
local inspect = require "prompt.inspect"
local mail = require "paraph.mail"
local rehearsal = require "paraph.rehearsal"
local scripts = require "paraph.scripts"

local session = {}

local CHUNK = "prompt" -- the name of what was typed, in errors

--- What a line has to know of where it runs.
---@class prompt_host
---@field columns integer   how wide the terminal is
---@field live boolean      sends leave, and the store is written to
---@field attached boolean  in a service, by somebody far away
---@field caller paraph.caller
---@field save? fun(text: string): string?, string?  keep a page in a file, whose path it gives

--- Before the first line: with the variables that another generation has saved.
---@param writable fun(module: table): table   the table behind the view that scripts have
---@param saved? string
function session.begin(writable, saved)
  failures.watch(writable)
  globals.restore(saved)
end

local function goes_on(why)
  return why:find("near <eof>", 1, true) ~= nil
end

--- A chunk that gives the value of an expression, or carries out statements; nil, what the compiler
--- says, and whether the line may go on.
local function compile(line)
  local chunk, of_expression = scripts.compile("return " .. line, CHUNK, globals.env)
  if chunk then return chunk end
  local of_statements
  chunk, of_statements = scripts.compile(line, CHUNK, globals.env)
  return chunk, of_statements, goes_on(of_expression) or goes_on(of_statements or "")
end

local function lua(line, host)
  local chunk, why, more = compile(line)
  if not chunk and more then return "more" end
  if not chunk then return "failed", failures.explain(why, line) end
  local results = table.pack(chunk())
  if results.n > 0 then globals.env._ = results[1] end
  return "shown", inspect.results(results, host.columns)
end

-- --- what is told of every line ------------------------------------------------------------------

--- How many mails have left in this rehearsal; 0 where there is none.
local function rehearsed()
  local n = 0
  for _, letter in ipairs(rehearsal.active() and rehearsal.letters() or {}) do
    if letter.sent then n = n + 1 end
  end
  return n
end

local function told_of(n)
  if n == 0 then return nil end
  return ("rehearsed: %s would leave from %s; :outbox shows it"):format(
    n == 1 and "it" or n .. " mails", mail.default_sender())
end

local function with(text, more)
  if not more or not text or text == "" then return more or text end
  return text .. "\n" .. more
end

-- --- lines ---------------------------------------------------------------------------------------

--- Carry out a line, or several of them.
---@async
---@param line string
---@param host prompt_host
---@return string word   "shown", "failed", "more" (the line is not at its end), "ask", "doctor",
---                      "quit"; or the generation to go on in: "reload", "live", "dry"
---@return string? text  to show; for "ask" the question
---@return string? more  for "ask" the line that yes means; for a new generation the variables
function session.run(line, host)
  if not line:find("%S") then return "shown" end
  local name, rest = line:match("^%s*:([%a_]*)%s*(.*)$")
  failures.forget()
  local before = rehearsed()
  local word, text, more
  if name then
    word, text, more = commands.run(name, (rest:gsub("%s+$", "")), host)
  else
    word, text, more = lua(line, host)
  end
  return word, with(with(text, failures.told()), told_of(rehearsed() - before)), more
end

--- What there is to show of an error that a line has raised.
---@param trace string   with its chain of calls
---@param line string
---@return string
function session.explain(trace, line)
  return with(failures.explain(trace, line), failures.told())
end

--- How a text could go on.
---@async
---@param text string
---@return string word
---@return string help   of the only one that is possible
---@return string more   the end of the text, and what could stand in its place, one per line
function session.complete(text)
  local candidates, typed, help = completion.of(text)
  table.insert(candidates, 1, typed)
  return "shown", help or "", table.concat(candidates, "\n")
end

return session
