--- What becomes of sends, for who watches the service: counted, and told.

local metrics = require "paraph.metrics"
local step = require "lib.step"

local sends = {}

local OUTCOMES = { hold = "held", refuse = "refused" }

local function count(mode, outcome)
  metrics.count("paraph_sends_total", { mode = mode, outcome = outcome })
end

--- The rules have decided: what they do not let out is counted.
---@param mode "direct"|"draft"
---@param verdict "send"|"hold"|"refuse"
function sends.decided(mode, verdict)
  if OUTCOMES[verdict] then count(mode, OUTCOMES[verdict]) end
end

--- An attempt to let a message out.
---@class attempt
---@field document paraph.document
---@field draft_id? string   nil: it is no draft
---@field began number       as step.begin() gave it

--- The end of an attempt; one that is unknown is counted again when it has been settled.
---@param attempt attempt
---@param sent? delivered
---@param err? paraph.err
---@return delivered? sent   both as they were given
---@return paraph.err? err
function sends.ended(attempt, sent, err)
  local direct = not attempt.draft_id or attempt.document.mode == "send"
  local mode = direct and "direct" or "draft"
  local outcome = sent and "sent" or err.unknown and "unknown" or err.held and "held" or "failed"
  count(mode, outcome)
  local told = { mode = mode, outcome = outcome, draft_id = attempt.draft_id }
  if sent then
    told.message_id, told.pixel_id = sent.id, sent.pixel_id
    step.ended("info", "mail sent", attempt.began, told)
  else
    told.code = err.code
    step.ended("warning", "mail not sent", attempt.began, told)
  end
  return sent, err
end

return sends
