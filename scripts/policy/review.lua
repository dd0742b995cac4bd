--- What needs a person's eyes. Both hooks see the letter (`lib/letter.lua`) and answer
---
---   "send"    it leaves
---   "hold"    it waits for a review, for the reason given: a word or a sentence
---   "refuse"  the caller gets 403 with the reason, a sentence
---
--- and, if they like, the name of the rule that decided, as third value. `lib/rules.lua` does that
--- for a list of rules; `recipes/` has rules that are ready to be used.

local review = {}

--- A message that a caller wants sent at once.
---@param letter letter
---@return "send"|"hold"|"refuse" verdict
---@return string? reason
---@return string? rule
function review.decide(letter) -- luacheck: no unused args
  return "send"
end

--- A draft that a reviewer wants to let out: `letter.approvals` names those who have approved this
--- very message, the present reviewer the last. "hold" notes that he did, and waits for another.
---@param letter letter
---@return "send"|"hold"|"refuse" verdict
---@return string? reason
---@return string? rule
function review.approve(letter) -- luacheck: no unused args
  return "send"
end

return review
