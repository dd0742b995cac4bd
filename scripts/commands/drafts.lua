--- paraph drafts: the drafts there are, or one of them.

local arguments = require "commands.arguments"
local drafts = require "lib.drafts"
local json = require "paraph.json"
local listing = require "lib.listing"
local operator = require "lib.operator"
local terminal = require "lib.terminal"

local command = {}

local SPEC = {
  words = 1,
  options = { limit = "text", ["page-token"] = "text", json = "flag" },
}

local LIMIT, LIMIT_MAX = 50, 200

---@class drafts_work
---@field id? string          of the draft to be shown, or its beginning
---@field query? paraph.store.query
---@field columns? integer
---@field as_json boolean

---@param list string[]
---@param host paraph.command_host
---@return drafts_work? work
---@return string? sentence
function command.read(list, host)
  local given, sentence = arguments.read(SPEC, list)
  if not given then return nil, sentence end
  local options, word = given.options, given.words[1]
  local work = { columns = host.columns, as_json = options.json == true }
  if word and not operator.queries[word] then
    work.id = word:lower()
    if not work.id:find("^%x%x%x%x%x%x%x%x[%x-]*$") then
      return nil, ("'%s' is neither a status nor the id of a draft"):format(terminal.line(word))
    end
    return work
  end
  local limit = options.limit and options.limit:find("^%d+$") and math.tointeger(options.limit)
  if options.limit and not (limit and limit >= 1 and limit <= LIMIT_MAX) then
    return nil, ("--limit is a number from 1 to %d, not '%s'"):format(LIMIT_MAX,
      terminal.line(options.limit))
  end
  local asked = word and operator.queries[word] or {}
  work.query = { status = asked.status, waiting = asked.waiting, limit = limit or LIMIT,
    page_token = options.page_token }
  return work
end

local function lines_out(lines)
  return table.concat(lines, "\n") .. "\n"
end

-- --- one -----------------------------------------------------------------------------------------

local function show(work)
  local draft, err = operator.draft(work.id)
  if not draft then return 1, nil, listing.failure(err) end
  if work.as_json then
    return 0, json.encode { status = "ok", draft = drafts.shown(draft) } .. "\n"
  end
  local lines
  lines, err = listing.draft(draft)
  if not lines then return 1, nil, listing.failure(err) end
  return 0, lines_out(lines)
end

-- --- all -----------------------------------------------------------------------------------------

local function list_json(found, more)
  for i, draft in ipairs(found) do found[i] = drafts.shown(draft) end
  local answer = { status = "ok", drafts = found, next_page_token = more or json.null }
  return 0, json.encode(answer) .. "\n"
end

local function list(work)
  local found, more = drafts.list(work.query)
  if not found then return 1, nil, listing.failure(more) end
  if work.as_json then return list_json(found, more) end
  if #found == 0 then return 0, nil, "there are none" end
  return 0, lines_out(listing.drafts(found, work.columns)),
    more and "there are more: --page-token " .. more or nil
end

---@async
---@param work drafts_work
---@return integer status
---@return string? out
---@return string? err
function command.run(work)
  return (work.id and show or list)(work)
end

return command
