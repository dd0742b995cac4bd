--- The schema of a draft as answers give it: what the message was made from, under
--- the names of requests but for `body`, and what has become of it.

local drafts = require "lib.drafts"
local message = require "lib.message"

local text = { type = "string" }
local yes = { type = "boolean" }
local count = { type = "integer", minimum = 0 }
local uuid = { type = "string", format = "uuid" }
local names = { type = "array", items = text }

local function time(what)
  return { type = "string", format = "date-time", description = what }
end

local function about(what)
  return { type = "string", description = what }
end

local properties = {
  draft_id = uuid,
  status = { type = "string", enum = drafts.statuses },
  created_at = time "When it was posted.",
  created_by = about "Who posted it: the name of a key, or an address.",
  mode = { type = "string", enum = { "send" }, description = "It was to leave at once." },
  trace_id = about("The trace of the request that it came with, 32 hexadecimal digits; the log "
    .. "has it as `mail_trace_id`."),

  waiting = { type = "string", enum = { "held", "failed", "approved" },
    description = "Why a pending draft waits, if not for its first review." },
  held = about "Why the review rules kept it from leaving.",
  decision = {
    type = "object", description = "What the review rules said when it was posted to be sent.",
    properties = {
      verdict = { type = "string", enum = { "send", "hold", "refuse" } }, reason = text,
      rule = text, at = about "Where the rule is written.",
    },
  },
  error = about "Why the last attempt to send it failed.",
  failure = {
    type = "object", description = "The last attempt to send it that failed.",
    properties = { error = text, at = time(nil), reviewed_by = text, reviewed_at = time(nil) },
  },

  edition = { type = "integer", minimum = 0, description = "How many times it was edited." },
  edited_at = time "When it was last edited.",
  edited_by = names,

  approvals = {
    type = "array", description = "Where more than one reviewer has to approve: who has.",
    items = { type = "object", properties = { by = text, at = time(nil), etag = text } },
  },
  approved_by = text, approved_at = time(nil), approved_etag = text,
  approved_as = {
    type = "object", description = "How whoever approved it was known, and what he might do.",
    properties = { method = text, roles = { type = "object" } },
  },
  waiting_before = about "What `waiting` was before that, and is again if it is taken back.",
  leaves_at = time "When an approved draft leaves: until then that can be taken back.",
  reviewed_by = text, reviewed_at = time(nil), reviewed_etag = text, reject_reason = text,

  sending_since = time "Since when somebody has been sending it.",
  attempt = count, operation_id = uuid,
  gmail_draft_id = text, gmail_mailbox = text, gmail_thread_id = text,
  withdrawing = yes, unsettled = yes,
  sent_at = time(nil), message_id = text, thread_id = text, pixel_id = uuid,
}

for name, property in pairs(message.stored().properties) do
  properties[name == "message" and "body" or name] = property
end

return {
  type = "object", required = { "draft_id", "to", "subject", "status", "created_at" },
  description = "What other programs have written into it is there as well.",
  properties = properties,
}
