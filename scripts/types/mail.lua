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

--- Let it out. With a key (a UUID) the same key twice is one mail. `no_send` under NO_SEND. If
--- err.unknown is true the mail may have left all the same.
---@async
---@param message paraph.message
---@param options? { key?: string }
---@return { id: string, thread_id: string }? sent
---@return paraph.err? err
function mail.send(message, options) end

--- HTML signature of a sender; "" if he has none.
---@async
---@param address? string       default: the default sender
---@return string? html
---@return paraph.err? err
function mail.signature(address) end

--- The bare address of the default sender.
---@return string
function mail.default_sender() end

return mail
