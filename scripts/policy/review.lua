--- What becomes of a message that a caller wants sent at once.

local review = {}

---@class review_request
---@field draft paraph.document   the message, as it would be stored (CONTRACT §4)
---@field sender string           bare address of From
---@field recipients string[]     bare addresses of To, Cc and Bcc
---@field caller paraph.caller

--- "send": it leaves. "hold": it becomes a draft, held for the reason given, a word or a sentence.
--- "refuse": the caller gets 403 with the reason, a sentence.
---@param request review_request
---@return "send"|"hold"|"refuse" decision
---@return string? reason
function review.decide(request) -- luacheck: no unused args
  return "send"
end

return review
