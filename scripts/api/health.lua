--- Is it alive, is it ready, and with which scripts.

local config = require "paraph.config"

local health = {}

---@return paraph.reply
function health.alive()
  return { json = { status = "ok" } }
end

--- A generation that answers has been loaded and checked.
---@return paraph.reply
function health.ready()
  return {
    json = {
      status = "ok",
      generation = config.generation,
      backend = config.backend,
      version = config.version,
    },
  }
end

return health
