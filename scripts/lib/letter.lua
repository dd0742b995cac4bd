--- What policies see of a message: the letter. Made from the document as it is stored, so that a
--- policy sees the same when a message is posted, shown, sent, and replayed.

local address = require "paraph.address"
local json = require "paraph.json"
local mail = require "paraph.mail"
local time = require "paraph.time"

local letter = {}

---@class letter
---@field draft paraph.document         a copy of the message, as it is stored
---@field sender letter_address         who it comes from
---@field recipients letter_recipient[] of To, Cc and Bcc, in this order
---@field domains string[]              of the recipients, each once, in order
---@field template? string              the name it was written with
---@field size integer                  bytes of body and attachments, before they are encoded
---@field attachments letter_attachment[]
---@field caller paraph.caller          who posted it; of a stored draft its author, without roles
---@field now paraph.date               local time (the variable TZ)
---@field today table<string, integer>  for review.decide: what has left today, by name of limit
---@field reviewer? paraph.caller       for review.approve: who lets it out
---@field approvals? string[]           for review.approve: who has approved this very message, the
---                                     reviewer the last

---@class letter_address
---@field address string      local@domain, the domain in lower case and A-labels
---@field local_part string
---@field domain string

---@class letter_recipient: letter_address
---@field field "to"|"cc"|"bcc"

---@class letter_attachment
---@field filename? string
---@field content_type? string
---@field size integer        bytes

local default_sender -- as the environment names it, once it was needed

local function sender_of(document)
  local given = type(document.from) == "string" and address.parse(document.from)
  if given and given[1] then return given[1] end
  default_sender = default_sender or address.parse(mail.default_sender())[1]
  return json.copy(default_sender)
end

local function attachments_of(document)
  local attachments, bytes = {}, 0
  for i, stored in ipairs(type(document.attachments) == "table" and document.attachments or {}) do
    stored = type(stored) == "table" and stored or {}
    local size = math.tointeger(stored.size) or 0
    attachments[i] =
      { filename = stored.filename, content_type = stored.content_type, size = size }
    bytes = bytes + size
  end
  return attachments, bytes
end

--- The domains of its recipients, each once.
---@param document paraph.document
---@return string[]
function letter.domains(document)
  return select(2, address.recipients(document))
end

---@param document paraph.document
---@param caller? paraph.caller  who asks for it to be sent; default: its author, without roles
---@param seconds? number        the moment that is `now`, as time.parse() gives it; default: now
---@return letter
function letter.of(document, caller, seconds)
  local recipients, domains = address.recipients(document)
  local attachments, bytes = attachments_of(document)
  return {
    draft = json.copy(document), -- a policy judges a letter, and cannot change the message by it
    sender = sender_of(document),
    recipients = recipients,
    domains = domains,
    template = document.template,
    size = bytes + (type(document.body) == "string" and #document.body or 0),
    attachments = attachments,
    caller = caller or { name = document.created_by or "", roles = {} },
    now = time.date(seconds),
    today = {},
  }
end

return letter
