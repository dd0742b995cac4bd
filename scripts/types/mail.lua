---@meta paraph.mail
--- Build a message, let it out (Maildir outbox or Gmail).
---@class paraph.mail
local mail = {}

---@class paraph.mailbox
---@field address string
---@field name? string

---@class paraph.mail.part
---@field content paraph.blob
---@field filename? string
---@field content_type? string  default application/octet-stream
---@field content_id? string    makes it an inline part

---@class paraph.mail.message
---@field id string             a UUID: X-Paraph-Id; Message-ID and boundaries are made from it
---@field from? paraph.mailbox  default: the default sender; else one that ALLOWED_SENDERS names
---@field to string|string[]    addresses, lists or groups
---@field cc? string|string[]
---@field bcc? string|string[]
---@field reply_to? string|string[]
---@field subject string
---@field text? string
---@field html? string
---@field parts? paraph.mail.part[]
---@field thread_id? string
---@field in_reply_to? string   message id without <>
---@field references? string    message ids in <>, separated by spaces; default in_reply_to's
---@field date? string          RFC 3339; default now

--- A built message. `#message` is its length in bytes.
---@class paraph.message
local message = {}

---@return paraph.blob          message/rfc822, CRLF line ends
function message:bytes() end

--- SHA-256 over everything a recipient gets (Date and Message-ID aside), in hexadecimal.
---@return string
function message:etag() end

--- Bare addresses of To, Cc and Bcc.
---@return string[]
function message:recipients() end

--- Bare address of From.
---@return string
function message:sender() end

--- Header injection, bad addresses (`invalid_recipient`, with the field), a sender that is not
--- allowed (`forbidden`), messages over the limit (`payload_too_large`) are refused here, in C.
---@param message paraph.mail.message
---@return paraph.message? message
---@return paraph.err? err
function mail.build(message) end

--- Whether build() would refuse it, without building it: for what is kept, and built later.
---@param message paraph.mail.message
---@return true? ok
---@return paraph.err? err   build()'s
function mail.check(message) end

--- Let it out. Nothing settles an unknown outcome: if err.unknown is true the mail may have left.
--- `no_send` under NO_SEND, as for drafts. In a rehearsal it stays in memory, and a draft that was
--- there before can be found, but neither sent nor deleted (`no_send`).
---@async
---@param message paraph.message
---@return { id: string, thread_id: string }? sent
---@return paraph.err? err
function mail.send(message) end

--- A message that waits in its mailbox, ready to leave: as `draft_create` made it, or rebuilt from
--- what was written down of it.
---@class paraph.mail.draft
---@field id string
---@field mailbox string
---@field thread_id? string
---@field key? string           X-Paraph-Id of the message

--- Make a message ready to leave, and let nothing out. If err.unknown is true it may be there all
--- the same: ask `drafts_of`. nil without an error where this is not possible (GMAIL_SCOPES): then
--- there is only `send`. Raises unless the claim is held, and is on the draft that X-Paraph-Id
--- names.
---@async
---@param claim paraph.claim
---@param message paraph.message
---@return paraph.mail.draft? draft
---@return paraph.err? err
function mail.draft_create(claim, message) end

--- Let a draft out: once, whoever asks how often. `not_found` if it is gone. If err.unknown is true
--- it may have left: ask `draft_exists`. Raises like `draft_create`.
---@async
---@param claim paraph.claim
---@param draft paraph.mail.draft
---@return { id: string, thread_id: string }? sent
---@return paraph.err? err
function mail.draft_send(claim, draft) end

--- Whether a draft is still there. What is gone was sent, or deleted: then also what became of it,
--- as far as it is known; `sent` is true if it was found among what was sent, false if it is surely
--- not there.
---@async
---@param draft paraph.mail.draft
---@return boolean? exists
---@return { id?: string, thread_id?: string, sent?: boolean }|paraph.err|nil sent_or_err
function mail.draft_exists(draft) end

--- Take a draft away unsent; false if it was gone already.
---@async
---@param draft paraph.mail.draft
---@return boolean? deleted
---@return paraph.err? err
function mail.draft_delete(draft) end

--- The drafts that wait in the mailbox with that X-Paraph-Id, whoever made them.
---@async
---@param id string          a UUID
---@param address? string    whose message it is; default: the default sender
---@return paraph.mail.draft[]? drafts
---@return paraph.err? err
function mail.drafts_of(id, address) end

--- What makes a message an answer: its headers, for `build`, and its thread. The message that is
--- answered is the one that in_reply_to names, by its Message-ID or by its id in the mailbox, else
--- the last one of the thread.
---@async
---@param thread_id? string
---@param in_reply_to? string    without <>
---@param address? string        who answers; default: the default sender
---@return { in_reply_to?: string, references?: string, thread_id?: string }? headers
---@return paraph.err? err       `invalid_field`: there is no such message or thread
function mail.reply_headers(thread_id, in_reply_to, address) end

--- The mailbox behind an address, if there is one that we may use.
---@async
---@param address? string        default: the default sender
---@return { address: string }? profile
---@return paraph.err? err
function mail.profile(address) end

--- HTML signature of a sender; "" if he has none.
---@async
---@param address? string       default: the default sender
---@return string? html
---@return paraph.err? err
function mail.signature(address) end

--- What waits before the mailbox of the default sender, in this process; nil if the backend lets
--- out as many as come.
---@return { under_way: integer, waiting: integer, blocked: number }?  seconds it lets nothing out
function mail.line() end

--- The bare address of the default sender.
---@return string
function mail.default_sender() end

return mail
