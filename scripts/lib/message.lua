--- A message on its way: the request that describes it → the members of the stored document →
--- the built message. POST / and PATCH share the schema, everything that sends or shows shares
--- the building, so that what is shown is what is sent.

local address = require "paraph.address"
local config = require "paraph.config"
local crypto = require "paraph.crypto"
local fail = require "lib.fail"
local hooks = require "lib.hooks"
local json = require "paraph.json"
local letter = require "lib.letter"
local mail = require "paraph.mail"
local markup = require "lib.markup"
local schema = require "lib.schema"
local templates = require "lib.templates"
local text = require "paraph.text"
local time = require "paraph.time"

local message = {}

local PARTS_MAX = 64 -- what the store keeps beside a document

local recipients = {
  type = { "string", "array" }, maxLength = 100000, maxItems = 500,
  items = { type = "string", maxLength = 1000 },
}

local function line(max, min)
  return { type = "string", format = "line", minLength = min, maxLength = max }
end

local function with(properties, more)
  local all = {}
  for name, property in pairs(properties) do all[name] = property end
  for name, property in pairs(more) do all[name] = property end
  return all
end

--- Members under the same name in requests and in stored documents; 998 is the longest line that
--- mail can carry (RFC 5322 §2.1.1).
local shared = {
  to = recipients,
  cc = recipients,
  bcc = recipients,
  reply_to = recipients,
  subject = line(998, 1),
  message = { type = "string", format = "text", minLength = 1, maxLength = 1000000 },
  format = { type = "string", enum = { "text", "markdown", "html" } },
  template = line(200, 1),
  vars = { type = "object" },
  from = line(998, 1),
  from_name = line(255),
  thread_id = line(127, 1),
  in_reply_to = line(998, 1),
  tracking = { type = "boolean" },
  metadata = { type = "object" },
}

local described = {
  filename = line(255, 1),
  content_type = line(255, 1),
  content_id = line(255, 1),
}

local function attachments(properties, required)
  return {
    type = "array", maxItems = PARTS_MAX,
    items = { type = "object", properties = properties, required = required },
  }
end

local editable = with(shared, {
  attachments = attachments(
    with(described, { content = { type = "string", contentEncoding = "base64" } }),
    { "content" }),
})

--- The body of PATCH /drafts/{id}.
message.patch = { type = "object", properties = editable }

--- The body of POST /.
message.post = {
  type = "object", required = { "to", "subject" },
  properties = with(editable, { mode = { type = "string", enum = { "draft", "send" } } }),
}

--- A stored document, as far as it describes the message, under the names of requests. Its subject
--- may be longer: others wrote it, or it is the marked one of a test copy.
local stored = {
  type = "object", required = { "to", "subject" },
  properties = with(shared, {
    subject = line(nil, 1),
    attachments = attachments(with(described, { size = { type = "integer" } })),
    reply_headers = { type = "object", properties = {
      in_reply_to = line(nil, 1), references = line(nil, 1), thread_id = line(127, 1),
    } },
  }),
}

--- The schema of what is stored. A function, since each message is checked with it: in a member of
--- this module it would be looked up through a view.
---@return schema
function message.stored()
  return stored
end

local function count(field, list)
  local mailboxes, err = address.count(list)
  if mailboxes then return mailboxes end
  return fail("invalid_recipient", field .. ": " .. err.message, field)
end

--- How many mailboxes a recipient field names. In an array every item must name one, so that the
--- items mean the same when they are joined.
local function count_mailboxes(field, value)
  if type(value) == "string" then return count(field, value) end
  local all = 0
  for _, list in ipairs(value) do
    local mailboxes, err = count(field, list)
    if not mailboxes then return nil, err end
    if mailboxes == 0 then
      return fail("invalid_recipient", field .. ": an item names no recipient", field)
    end
    all = all + mailboxes
  end
  return all
end

local RECIPIENTS = { "to", "cc", "bcc", "reply_to" }

local function check_recipients(fields)
  for _, field in ipairs(RECIPIENTS) do
    local value = fields[field]
    if value then
      local mailboxes, err = count_mailboxes(field, value)
      if not mailboxes then return nil, err end
      if mailboxes == 0 and field == "to" then
        return fail("invalid_recipient", "to: names no recipient", "to")
      end
    end
  end
  return true
end

local function check_body(fields)
  if fields.message and fields.template then
    return fail("invalid_field", "template: goes in place of message, not with it", "template")
  end
  if not fields.message and not fields.template then
    return fail("invalid_field", "message: is missing, and so is template", "message")
  end
  if fields.vars and not fields.template then
    return fail("invalid_field", "vars: goes with template", "vars")
  end
  return true
end

--- The message that a document holds, whoever wrote it, under the names of requests. What it
--- answers was fixed by the claim, be it nothing: the thread it is in may be that of the sent mail.
--- `fresh`: it is what members() has just made of a checked request.
local function fields_of(document, fresh)
  local fields = {}
  for name in pairs(stored.properties) do fields[name] = document[name] end
  fields.message = document.body
  if document.status == "sending" or document.status == "sent" then
    fields.reply_headers = fields.reply_headers or {}
  end
  local ok, err = fresh, nil
  if not fresh then ok, err = schema.check(stored, fields) end
  if ok then ok, err = check_recipients(fields) end
  if ok then ok, err = check_body(fields) end
  if not ok then return nil, err end
  return fields
end

--- Who it comes from; nil is the default sender under his own name.
local function mailbox_of(fields)
  if not fields.from then
    return fields.from_name and { address = mail.default_sender(), name = fields.from_name }
  end
  local mailboxes, err = address.parse(fields.from)
  if err then return fail("invalid_field", "from: " .. err.message, "from") end
  if #mailboxes ~= 1 then
    return fail("invalid_field", "from: must be one e-mail address", "from")
  end
  return { address = mailboxes[1].address, name = fields.from_name or mailboxes[1].name }
end

--- Format and text of the body; nil and an error.
local function body_of(fields)
  if fields.message then return fields.format or "text", fields.message end
  local html, err = templates.render_mail(fields.template, fields.vars or {})
  if not html then
    err.field = err.field or "template"
    return nil, err
  end
  if html:find("\0", 1, true) then
    return fail("invalid_field", "vars: a NUL character is not possible", "vars")
  end
  return "html", html
end

--- What a policy composes a message of, but for the pixel.
---@return message_content? content
---@return paraph.err? err
local function content_of(fields, signature)
  local format, body = body_of(fields)
  if not format then return nil, body end
  local html, err = markup[format](body)
  local plain = html and body
  if html and format ~= "text" then plain, err = text.from_html(html) end
  if not plain then return fail(err.code, "message: " .. err.message, "message") end
  local below
  below, err = text.from_html(signature)
  if not below then return nil, err end
  return {
    format = format, html = html, text = plain, signature = signature, signature_text = below,
  }
end

--- Content and message ids are written with <> in headers, and so by some callers.
local function bare(id)
  return id and (id:match("^<(.+)>$") or id)
end

local function parts_of(fields, contents)
  local parts = {}
  for i, attachment in ipairs(fields.attachments or {}) do
    parts[i] = {
      content = contents[i],
      filename = attachment.filename,
      content_type = attachment.content_type,
      content_id = bare(attachment.content_id),
    }
  end
  return parts
end

local function take_attachments(list)
  local kept, contents = setmetatable({}, json.array_mt), {}
  for i, attachment in ipairs(list) do
    local path = ("attachments[%d]."):format(i - 1)
    if not attachment.filename and not attachment.content_id then
      return fail("invalid_field", path .. "filename: is missing", path .. "filename")
    end
    local content, err = attachment.content:base64_decode()
    if not content then
      return fail("invalid_field", path .. "content: " .. err.message, path .. "content")
    end
    contents[i] = content
    kept[i] = {
      filename = attachment.filename,
      content_type = attachment.content_type,
      content_id = attachment.content_id,
      size = #content,
    }
  end
  return kept, contents
end

-- What is written of a list of recipients is longer than each of them.
local joined = { type = "object", properties = { to = recipients } }

--- The members of the stored document that a checked request sets, and the contents of its
--- attachments in their order (nil if it names no attachments).
---@param request table
---@return paraph.document? members
---@return paraph.blob[]|paraph.err|nil contents_or_err
function message.members(request)
  local members = with(request, { body = request.message })
  members.message, members.mode = nil, nil
  if type(request.to) == "table" then
    local ok, err = count_mailboxes("to", request.to)
    if not ok then return nil, err end
    members.to = table.concat(request.to, ", ")
    ok, err = schema.check(joined, { to = members.to })
    if not ok then return nil, err end
  end
  if not request.attachments then return members end
  local kept, contents = take_attachments(request.attachments)
  if not kept then return nil, contents end
  members.attachments = kept
  return members, contents
end

--- A stored document as it was when it was posted: without what has become of it since.
---@param document paraph.document
---@return paraph.document
function message.posted(document)
  local members = { body = document.body, attachments = document.attachments }
  for name in pairs(shared) do members[name] = document[name] end
  return members
end

--- The pixel of a message, nil if it is not tracked. It follows from the message's id, so that a
--- draft is shown with the very pixel it will be sent with; a claimed or sent draft keeps its own.
local function pixel_of(id, document, place)
  if document.status == "sending" or document.status == "sent" then return document.pixel_id end
  if not config.tracking or document.tracking == false or place == "none" then return nil end
  return crypto.uuid5(id, "pixel")
end

--- HTML, text and the id of the pixel; nil and an error.
local function compose(id, document, content)
  local facts = letter.of(document)
  local place, html, plain, err
  place, err = hooks.place(facts)
  if not place then return nil, err end
  local pixel_id = pixel_of(id, document, place)
  if pixel_id and config.pixel_base_url then
    content.place = place
    content.pixel, err = hooks.pixel(pixel_id)
    if not content.pixel then return nil, err end
  end
  html, plain = hooks.bodies(content, facts)
  return html, plain, pixel_id
end

--- When it was sent, for a message that was; nil is now.
local function date_of(document)
  local sent_at = document.sent_at
  return type(sent_at) == "string" and time.parse(sent_at) and sent_at or nil
end

local function reply_headers_of(fields, from)
  if fields.reply_headers then return fields.reply_headers end
  if not fields.thread_id and not fields.in_reply_to then return {} end
  return mail.reply_headers(fields.thread_id, bare(fields.in_reply_to), from and from.address)
end

--- What makes a message an answer, if it is one: fixed when it is claimed, looked up until then.
---@async
---@param document paraph.document
---@param fresh? boolean   as of build()
---@return { in_reply_to?: string, references?: string, thread_id?: string }? headers
---@return paraph.err? err
function message.reply_headers(document, fresh)
  local fields, err = fields_of(document, fresh)
  if not fields then return nil, err end
  local from
  from, err = mailbox_of(fields)
  if err then return nil, err end
  return reply_headers_of(fields, from)
end

--- Everything checked but what mail.build() and mail.check() check.
---@async
---@return paraph.mail.message? described
---@return string|paraph.err|nil pixel_id_or_err
local function describe(id, document, contents, fresh)
  local fields, err = fields_of(document, fresh)
  if not fields then return nil, err end
  local from
  from, err = mailbox_of(fields)
  if err then return nil, err end
  local signature, reply, content
  signature, err = mail.signature(from and from.address)
  if not signature then return nil, err end
  reply, err = reply_headers_of(fields, from)
  if not reply then return nil, err end

  content, err = content_of(fields, signature)
  if not content then return nil, err end
  local html, plain, pixel_id = compose(id, document, content)
  if not html then return nil, plain end
  return {
    id = id,
    from = from,
    to = fields.to, cc = fields.cc, bcc = fields.bcc, reply_to = fields.reply_to,
    subject = fields.subject,
    text = plain, html = html,
    parts = parts_of(fields, contents),
    thread_id = reply.thread_id or fields.thread_id,
    in_reply_to = reply.in_reply_to,
    references = reply.references,
    date = date_of(document),
  }, pixel_id
end

--- Check everything and build.
---@async
---@param id string                 of the draft, or a fresh UUID
---@param document paraph.document
---@param contents paraph.blob[]    of its attachments
---@param fresh? boolean            members() has just made the document of a checked request
---@return paraph.message? built
---@return string|paraph.err|nil pixel_id_or_err  nil: not tracked. The error names the request
---                                 field at fault; `policy_error`: a hook has failed
function message.build(id, document, contents, fresh)
  local wanted, pixel_id = describe(id, document, contents, fresh)
  if not wanted then return nil, pixel_id end
  local built, err = mail.build(wanted)
  if not built then return nil, err end
  return built, pixel_id
end

--- Check everything that build() does, for a message that is kept.
---@async
---@param id string
---@param document paraph.document
---@param contents paraph.blob[]
---@param fresh? boolean
---@return true? ok
---@return paraph.err? err
function message.check(id, document, contents, fresh)
  local wanted, err = describe(id, document, contents, fresh)
  if not wanted then return nil, err end
  return mail.check(wanted)
end

return message
