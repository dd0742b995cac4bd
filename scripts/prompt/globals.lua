--- What can be named at the prompt: variables, which stay from line to line; the modules of the
--- host and those that are asked for most, without a require; and what scripts have.

local scripts = require "paraph.scripts"

local globals = {}

--- Names that stand for modules.
---@type table<string, string>
globals.modules = {
  address = "paraph.address", config = "paraph.config", crypto = "paraph.crypto",
  fetch = "paraph.fetch", json = "paraph.json", log = "paraph.log", mail = "paraph.mail",
  store = "paraph.store", task = "paraph.task", templates = "paraph.templates",
  text = "paraph.text", time = "paraph.time",
  drafts = "lib.drafts", letter = "lib.letter", message = "lib.message",
  limits = "policy.limits", review = "policy.review", settings = "lib.settings",
}

local shared = {} -- what scripts have
for name, value in pairs(_G) do shared[name] = value end

--- The globals of a line. Variables are its own members.
globals.env = setmetatable({}, {
  __index = function(_, name)
    local module = globals.modules[name]
    if module then return require(module) end
    local value = shared[name]
    if value ~= nil then return value end
    error(("there is no '%s' (a misspelt name, or a variable that has no value)"):format(name), 2)
  end,
})

-- --- from one generation to the next -------------------------------------------------------------

local BYTES_MAX, DEPTH_MAX = 1 << 20, 20

local write

local function write_table(value, depth)
  if depth == DEPTH_MAX or getmetatable(value) ~= nil then return nil end
  local parts, bytes = {}, 0
  for name, member in pairs(value) do
    local key, text = write(name, depth + 1), write(member, depth + 1)
    if not key or not text then return nil end
    parts[#parts + 1] = ("[%s]=%s"):format(key, text)
    bytes = bytes + #parts[#parts]
    if bytes > BYTES_MAX then return nil end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Plain data as Lua spells it; nil for what is more than that.
function write(value, depth)
  local kind = type(value)
  if kind == "table" then return write_table(value, depth) end
  if value ~= value then return "(0/0)" end
  if kind == "string" or kind == "number" or kind == "boolean" then return ("%q"):format(value) end
end

--- The variables, for another generation: values cannot go from one to the next, but what is plain
--- data can be written down.
---@return string saved
---@return string[] lost   the names of those that cannot
function globals.save()
  local parts, lost, bytes = {}, {}, 0
  for name, value in pairs(globals.env) do
    local text = write(value, 0)
    if text and bytes + #text <= BYTES_MAX then
      parts[#parts + 1] = ("[%q]=%s"):format(name, text)
      bytes = bytes + #text
    elseif name ~= "_" then
      lost[#lost + 1] = name
    end
  end
  table.sort(lost)
  return "return {" .. table.concat(parts, ",") .. "}", lost
end

---@param saved? string   of globals.save()
function globals.restore(saved)
  local chunk = saved and saved ~= "" and scripts.compile(saved, "variables", {})
  for name, value in pairs(chunk and chunk() or {}) do globals.env[name] = value end
end

return globals
