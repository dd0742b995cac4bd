--- Whether a message may leave: the policies are asked, what has left today is counted, and what
--- was decided is told, with the rule and where it is written.

local config = require "paraph.config"
local fail = require "lib.fail"
local hooks = require "lib.hooks"
local letter = require "lib.letter"
local quota = require "lib.quota"
local sends = require "lib.sends"
local settings = require "lib.settings"
local step = require "lib.step"
local store = require "paraph.store"
local time = require "paraph.time"

local decisions = {}

--- A send that nobody had anything against is told only to who looks closely.
local function tell(decision, what, mode, deciding)
  sends.decided(mode, decision.verdict)
  step.ended(decision.verdict == "send" and "debug" or "info", what, deciding, {
    verdict = decision.verdict, rule = decision.rule, at = decision.at, reason = decision.reason })
end

local function held(rule, at, reason)
  return { verdict = "hold", rule = rule, at = at, reason = reason }
end

--- The decision that stands for a hook that failed.
---@param err paraph.err   `policy_error`
---@return decision
function decisions.failed(err)
  return held(err.rule, err.at, err.why)
end

--- What the policies say, and over them the limits and the brake.
local function decided(facts, counters)
  facts.today = quota.used(counters)
  local decision, err = hooks.decide(facts)
  if not decision then return nil, err end
  if decision.verdict ~= "send" then return decision end
  if config.no_send then return held("NO_SEND", "environment", "no_send") end
  local over
  over, err = quota.take(counters)
  if not over then return nil, err end
  if over == true then return decision end
  return held("limits.of", hooks.where("policy.limits", "of"),
    ("%d messages a day: %s"):format(over.most, over.name))
end

--- What becomes of a message that a caller wants sent at once. If it is sent, it is counted; who
--- knows that it has not left all the same, gives back what was counted.
---@async
---@param document paraph.document
---@param caller paraph.caller
---@return decision?
---@return counter[]|paraph.err counters_or_err  `policy_error`: a hook has failed
function decisions.on_send(document, caller)
  local deciding = step.begin()
  local facts = letter.of(document, caller)
  local limits, counters, decision, err
  limits, err = hooks.limits(facts)
  if not limits then return nil, err end
  counters, err = quota.load(limits, facts.now)
  if not counters then return nil, err end
  decision, err = decided(facts, counters)
  if not decision then return nil, err end
  tell(decision, "decided", "direct", deciding)
  return decision, counters
end

--- What the policies alone say of a message, which is not counted.
---@async
---@param document paraph.document
---@param caller paraph.caller
---@return decision?
---@return paraph.err? err
function decisions.judged(document, caller)
  local facts = letter.of(document, caller)
  local limits, counters, err
  limits, err = hooks.limits(facts)
  if not limits then return nil, err end
  counters, err = quota.load(limits, facts.now)
  if not counters then return nil, err end
  facts.today = quota.used(counters)
  return hooks.decide(facts)
end

-- --- reviews -------------------------------------------------------------------------------------

--- The approvals of the very message that is there now.
local function approvals_of(document, etag, reviewer)
  local approvals, names = {}, {}
  for _, approval in ipairs(type(document.approvals) == "table" and document.approvals or {}) do
    if type(approval) == "table" and approval.etag == etag and approval.by ~= reviewer.name then
      approvals[#approvals + 1], names[#names + 1] = approval, approval.by
    end
  end
  approvals[#approvals + 1] = { by = reviewer.name, at = time.now(), etag = etag }
  names[#names + 1] = reviewer.name
  return approvals, names
end

--- The draft waits for another reviewer, and remembers this one.
local function keep_approvals(draft, approvals)
  local version, err = store.update(config.draft_collection, draft.id,
    { approvals = approvals }, { version = draft.version })
  if version then return true end
  if not err then return fail("draft_not_found", "there is no draft with this id") end
  if err.code ~= "conflict" then return nil, err end
  return fail("conflict", "somebody else is reviewing or changing this draft just now; try again")
end

--- Did he write the message, or change it?
local function is_author(document, reviewer)
  for _, name in ipairs(type(document.edited_by) == "table" and document.edited_by or {}) do
    if name == reviewer.name then return true end
  end
  return document.created_by == reviewer.name
end

--- Whether a draft that a reviewer approves may leave by now.
---@async
---@param draft draft
---@param etag string              of its message
---@param reviewer paraph.caller
---@return decision? decision      "send"
---@return paraph.err? err         `refused_by_policy` (err.counted: his approval is kept, another
---                                 one needed); `forbidden`: he wrote it
function decisions.on_approval(draft, etag, reviewer)
  local deciding = step.begin()
  if settings.four_eyes and is_author(draft.document, reviewer) then
    return fail("forbidden",
      "you wrote this message, or a part of it: somebody else has to approve it (four_eyes)")
  end
  local facts = letter.of(draft.document)
  local approvals, names = approvals_of(draft.document, etag, reviewer)
  facts.reviewer, facts.approvals = reviewer, names
  local decision, err = hooks.approve(facts)
  if not decision then return nil, err end
  tell(decision, "approval decided", "draft", deciding)
  if decision.verdict == "send" then return decision end
  if decision.verdict == "hold" then
    local ok
    ok, err = keep_approvals(draft, approvals)
    if not ok then return nil, err end
  end
  local refusal = select(2, fail("refused_by_policy",
    decision.reason or "the review policy keeps this draft", nil, { approvals = #names }))
  refusal.counted = decision.verdict == "hold" or nil
  return nil, refusal
end

--- Count what a reviewer lets out, whatever the limits. Who knows that it has not left all the
--- same, gives back what was counted.
---@async
---@param document paraph.document
---@return counter[]
function decisions.count(document)
  local facts = letter.of(document)
  return quota.add(hooks.limits(facts) or {}, facts.now)
end

return decisions
