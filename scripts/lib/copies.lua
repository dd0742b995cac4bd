--- Test copies of drafts, for who wants to see one in his own mailbox.

local crypto = require "paraph.crypto"
local drafts = require "lib.drafts"
local mail = require "paraph.mail"
local message = require "lib.message"

local copies = {}

--- The document of a copy: to nobody but the tester, marked, in no thread of the mailbox.
local function copy_of(document, to)
  local subject = document.subject
  if type(subject) == "string" then subject = "[TEST] " .. subject end
  return drafts.merged(document, { to = to, subject = subject, tracking = false },
    { "status", "cc", "bcc", "thread_id", "in_reply_to", "reply_headers", "sent_at" })
end

--- Send a copy of a draft, whatever its status, to a tester: it touches neither the draft nor its
--- recipients.
---@async
---@param id string           of the draft
---@param to string|string[]
---@return { id: string }? sent
---@return paraph.err? err
function copies.send(id, to)
  local draft, contents = drafts.open(id)
  if not draft then return nil, contents end
  local built, err = message.build(crypto.uuid4(), copy_of(draft.document, to), contents)
  if not built then return nil, err end
  return mail.send(built)
end

return copies
