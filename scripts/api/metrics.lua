--- GET /metrics: what is counted and measured, of all workers, for Prometheus.

local metrics = require "paraph.metrics"

local api = {}

---@return paraph.reply
function api.get()
  return { type = "text/plain; version=0.0.4; charset=utf-8", body = metrics.text() }
end

return api
