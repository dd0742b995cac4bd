--- What policies see of a message: the letter. Made from the document as it is stored, so that a
--- policy sees the same when a message is posted, shown, sent, and replayed.

local address = require "paraph.address"
local mail = require "paraph.mail"
local time = require "paraph.time"

local letter = {}

---@class letter
---@field draft paraph.document         a copy of the message, as it is stored (CONTRACT §4)
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

local FIELDS = { "to", "cc", "bcc" }

--- The mailboxes of a recipient field; none of what cannot be read, since nothing leaves for that.
local function mailboxes_of(value)
  local all = {}
  for _, list in ipairs(type(value) == "table" and value or { value }) do
    local mailboxes = type(list) == "string" and address.parse(list)
    for _, mailbox in ipairs(mailboxes or {}) do all[#all + 1] = mailbox end
  end
  return all
end

local function recipients_of(document)
  local recipients, domains, known = {}, {}, {}
  for _, field in ipairs(FIELDS) do
    for _, mailbox in ipairs(mailboxes_of(document[field])) do
      recipients[#recipients + 1] = {
        address = mailbox.address, local_part = mailbox.local_part, domain = mailbox.domain,
        field = field,
      }
      if not known[mailbox.domain] then domains[#domains + 1] = mailbox.domain end
      known[mailbox.domain] = true
    end
  end
  return recipients, domains
end

--- A policy judges a letter, and cannot change the message by it.
local function copied(value)
  if type(value) ~= "table" then return value end
  local copy = setmetatable({}, getmetatable(value))
  for name, member in pairs(value) do copy[name] = copied(member) end
  return copy
end

local default_sender -- as the environment names it, once it was needed

local function sender_of(document)
  local given = mailboxes_of(document.from)[1]
  if given then return given end
  default_sender = default_sender or mailboxes_of(mail.default_sender())[1]
  return copied(default_sender)
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
  local _, domains = recipients_of(document)
  return domains
end

---@param document paraph.document
---@param caller? paraph.caller  who asks for it to be sent; default: its author, without roles
---@param seconds? number        the moment that is `now`, as time.parse() gives it; default: now
---@return letter
function letter.of(document, caller, seconds)
  local recipients, domains = recipients_of(document)
  local attachments, bytes = attachments_of(document)
  return {
    draft = copied(document),
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
