--- Is it alive, is it ready, and with which scripts.

local config = require "paraph.config"
local scripts = require "paraph.scripts"

local health = {}

---@return paraph.reply
function health.alive()
  return { json = { status = "ok" } }
end

local function reload()
  local refused = scripts.refused()
  return refused and { status = "refused", error = refused.error, since = refused.since }
end

--- A generation that answers has been loaded and checked, whatever became of a later edit.
---@return paraph.reply
function health.ready()
  return {
    json = {
      status = "ok",
      generation = config.generation,
      backend = config.backend,
      version = config.version,
      reload = reload(),
    },
  }
end

return health
