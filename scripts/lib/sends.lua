--- What becomes of sends, for who watches the service.

local metrics = require "paraph.metrics"

local sends = {}

local OUTCOMES = { hold = "held", refuse = "refused" }

local function count(mode, outcome)
  metrics.count("paraph_sends_total", { mode = mode, outcome = outcome })
end

--- Count what the rules do not let out.
---@param mode "direct"|"draft"
---@param decision decision
function sends.decided(mode, decision)
  local outcome = OUTCOMES[decision.verdict]
  if outcome then count(mode, outcome) end
end

--- Count the end of an attempt to let a message out; one that is unknown is counted again when it
--- has been settled.
---@param document paraph.document
---@param sent? delivered
---@param err? paraph.err
---@return delivered? sent   both as they were given
---@return paraph.err? err
function sends.ended(document, sent, err)
  local direct = document.status == nil or document.mode == "send"
  count(direct and "direct" or "draft",
    sent and "sent" or err.unknown and "unknown" or err.held and "held" or "failed")
  return sent, err
end

return sends
