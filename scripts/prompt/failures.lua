--- Errors as an operator reads them: the line they are about, and the calls that led there, as far
--- as they are in files of his own.

local policy = require "paraph.policy"
local scripts = require "paraph.scripts"

local failures = {}

local CHUNK = "prompt"

--- What is his to edit even where it is shipped.
local OWN = { "^policy/", "^recipes/", "^settings%.lua", "^access%.lua", "^routes%.lua",
  "^jobs%.lua" }

local function is_own(name)
  if name == CHUNK then return true end
  local _, _, shipped = scripts.source(name)
  if shipped == false then return true end
  for _, pattern in ipairs(OWN) do
    if name:find(pattern) then return true end
  end
  return false
end

--- The calls of a traceback that are in his files, the innermost first.
local function calls_of(trace)
  local calls = {}
  local _, at = trace:find("\nstack traceback:\n", 1, true)
  for line in trace:sub((at or #trace) + 1):gmatch("[^\n]+") do
    local name, number, what = line:match("^%s*([^:%s]+):(%d+): in (.*)$")
    if name and is_own(name) then calls[#calls + 1] = { name, number, what } end
  end
  return calls
end

--- The line that was typed, with a caret below it, for an error in it.
local function excerpt_of_line(sentence, line)
  local number, said = sentence:match("^" .. CHUNK .. ":(%d+): (.*)$")
  if not number then return scripts.excerpt(sentence) end
  local n = 0
  for text in (line .. "\n"):gmatch("([^\n]*)\n") do
    n = n + 1
    if n == tonumber(number) and text:find("%S") then
      local word = said:match("near '([^']+)'") or said:match("'([^']+)'")
      local from = word and text:find(word, 1, true) or text:find("%S")
      local indent = text:sub(1, from - 1):gsub("[^\t]", " ")
      return ("%s\n  %s\n  %s^"):format(said, text, indent)
    end
  end
  return said
end

--- An error for people.
---@param trace string   with its chain of calls, or without
---@param line string    that was typed
---@return string
function failures.explain(trace, line)
  local sentence = trace:match("^(.-)\nstack traceback:\n") or trace
  local parts = { excerpt_of_line(sentence, line) }
  local calls = calls_of(trace)
  for _, call in ipairs(calls) do
    local where = call[1] == CHUNK and "the line typed" or call[1] .. ":" .. call[2]
    if not (#calls == 1 and call[1] == CHUNK) then
      parts[#parts + 1] = ("  called from %s, in %s"):format(where, call[3])
    end
  end
  return table.concat(parts, "\n")
end

-- --- hooks that fail -----------------------------------------------------------------------------

local hooks = {} -- that have failed during this line: what there is to tell

--- Have the failures of hooks told at the prompt, rather than in the log.
---@param writable fun(module: table): table
function failures.watch(writable)
  writable(policy).failed = function(hook, trace)
    hooks[#hooks + 1] = ("the hook %s has failed: %s"):format(hook, failures.explain(trace, ""))
  end
end

function failures.forget()
  hooks = {}
end

---@return string?
function failures.told()
  return hooks[1] and table.concat(hooks, "\n")
end

return failures
