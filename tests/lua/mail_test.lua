local crypto = require "paraph.crypto"
local expect = require "lib.expect"
local json = require "paraph.json"
local mail = require "paraph.mail"
local store = require "paraph.store"
local testing = require "paraph.testing"

local ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
local SENDER = mail.default_sender()

--- The smallest message, with `changes` made to it.
local function draft(changes)
  local message = {
    id = ID, to = "bob@example.org", subject = "Hello", text = "Hi Bob",
    date = "2026-03-01T09:30:00Z",
  }
  for name, value in pairs(changes or {}) do
    message[name] = value
  end
  return message
end

local function build(changes)
  assert(mail.check(draft(changes)))
  return assert(mail.build(draft(changes)))
end

local function has(text, part)
  assert(text:find(part, 1, true), "there is no " .. part .. " in:\n" .. text)
end

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise: " .. pattern)
  has(tostring(message), pattern)
end

--- The world's refusal of a draft with these changes.
local function refused(changes, code, field)
  local message, err = mail.build(draft(changes))
  assert(message == nil, "was not refused")
  expect.equal({ mail.check(draft(changes)) }, { nil, err })
  assert(err.code == code, err.code .. ": " .. err.message)
  assert(err.field == field, tostring(err.field))
  return err
end

local function many(n)
  local addresses = {}
  for i = 1, n do
    addresses[i] = "user" .. i .. "@example.org"
  end
  return addresses
end

--- A claim on a document of this id.
local function claim_it(id)
  id = id or ID
  store.create("claimed", id, { status = "pending" })
  return assert(store.claim("claimed", id, select(2, store.get("claimed", id)), {}))
end

return {
  ["a message has the ids made from its own"] = function()
    local text = build():bytes():string()
    has(text, "\r\nX-Paraph-Id: " .. ID .. "\r\n")
    local domain = SENDER:match("@(.*)")
    has(text, "Message-ID: <" .. crypto.uuid5(ID, "message") .. "@" .. domain .. ">\r\n")
    has(text, "\r\nSubject: Hello\r\n")
    has(text, "\r\nTo: bob@example.org\r\n")
    has(text, "Hi Bob")
    assert(not text:gsub("\r\n", ""):find("[\r\n]"))
  end,

  ["length and text of a message"] = function()
    local message = build()
    assert(#message == #message:bytes())
    assert(tostring(message) == "message: " .. #message .. " bytes")
    assert(getmetatable(message) == "paraph.message")
  end,

  ["the same table gives the same bytes"] = function()
    assert(build():bytes():sha256() == build():bytes():sha256())
  end,

  ["the etag covers what a recipient gets, but not the date"] = function()
    local etag = build():etag()
    assert(#etag == 64 and not etag:find("[^0-9a-f]"))
    local later = build { date = "2026-03-02T10:00:00+01:00" }
    assert(later:etag() == etag)
    assert(later:bytes():sha256() ~= build():bytes():sha256())
    for _, changes in ipairs {
      { text = "Hi bob" }, { subject = "hello" }, { to = "bob@example.com" }, { cc = "c@x.org" },
      { html = "<p>Hi" }, { reply_to = "d@x.org" }, { in_reply_to = "1@x.org" },
      { references = "<0@x.org> <1@x.org>" },
      { from = { address = SENDER, name = "Zoë" } },
    } do
      assert(build(changes):etag() ~= etag, next(changes))
    end
  end,

  ["without a date it is now"] = function()
    local message = draft()
    message.date = nil
    local text = assert(mail.build(message)):bytes():string()
    assert(text:match("^Date: ") or text:match("\r\nDate: "))
    refused({ date = "yesterday" }, "invalid_field", "date")
    refused({ date = "1969-12-31T23:59:59Z" }, "invalid_field", "date")
  end,

  ["recipients are a string or a list, and bare"] = function()
    local message = build {
      to = { "Bob <bob@example.org>", "a@example.org, Team: t1@example.org, t2@example.org;" },
      cc = "Zoë <Zoe@BÜCHER.example>",
      bcc = { "hidden@example.org" },
      reply_to = "other@example.org",
    }
    assert(table.concat(message:recipients(), " ") ==
      "bob@example.org a@example.org t1@example.org t2@example.org " ..
      "Zoe@xn--bcher-kva.example hidden@example.org")
    assert(#build { to = "", cc = {}, bcc = "b@example.org" }:recipients() == 1)
    assert(#build { to = setmetatable({ "a@x.org" }, json.array_mt) }:recipients() == 1)
  end,

  ["a bad recipient is refused by its field"] = function()
    local err = refused({ to = "bob@" }, "invalid_recipient", "to")
    has(err.message, "to: 'bob@' is not an e-mail address")
    assert(err.status == 400)
    err = refused({ to = { "a@x.org", "b@x.org", "c@" } }, "invalid_recipient", "to[2]")
    has(err.message, "to[2]: 'c@'")
    refused({ cc = "x" }, "invalid_recipient", "cc")
    refused({ bcc = { "x" } }, "invalid_recipient", "bcc[0]")
    refused({ reply_to = "x@y@z" }, "invalid_recipient", "reply_to")
    refused({ to = "a@[127.0.0.1]" }, "invalid_recipient", "to")
    refused({ to = "bob@example.org\r\nBcc: eve@example.org" }, "invalid_recipient", "to")
  end,

  ["there is one recipient at least, and 500 at most"] = function()
    refused({ to = "" }, "invalid_recipient", "to")
    refused({ to = { "", "" }, cc = {}, bcc = "", reply_to = "a@x.org" }, "invalid_recipient", "to")
    assert(#build { to = many(498), cc = "a@x.org", bcc = "b@x.org" }:recipients() == 500)
    refused({ to = many(499), cc = "a@x.org", bcc = "b@x.org" }, "invalid_recipient", "to")
    assert(mail.build(draft { to = many(501) }) == nil)
    assert(mail.build(draft { to = table.concat(many(5000), ",") }) == nil)
  end,

  ["only allowed senders"] = function()
    assert(build():sender() == SENDER)
    assert(build { from = { address = SENDER:upper() } }:sender():lower() == SENDER)
    local named = build { from = { address = SENDER, name = "Zoë, Ltd." } }
    assert(named:sender() == SENDER)
    assert(named:etag() ~= build():etag())
    local err = refused({ from = { address = "eve@example.org" } }, "forbidden", "from")
    assert(err.status == 403)
    has(err.message, "eve@example.org")
    refused({ from = { address = "x" .. SENDER } }, "forbidden", "from")
    refused({ from = { address = SENDER .. ".evil.org" } }, "forbidden", "from")
    refused({ from = { address = "eve" } }, "invalid_recipient", "from")
    refused({ from = { address = "" } }, "invalid_recipient", "from")
    refused({ from = { address = SENDER .. "," .. SENDER } }, "invalid_recipient", "from")
  end,

  ["nothing is injected into headers"] = function()
    for _, bad in ipairs { "a\r\nBcc: eve@x.org", "a\nb", "a\rb", "a\0b", "a\127", "a\xff" } do
      refused({ subject = bad }, "invalid_field", "subject")
      local message, err = mail.build(draft { from = { address = SENDER, name = bad } })
      assert(message == nil and err.code == "invalid_field", bad)
      message, err = mail.build(draft { in_reply_to = bad })
      assert(message == nil and err.code == "invalid_field", bad)
      refused({ thread_id = bad }, "invalid_field", "thread_id")
      for _, member in ipairs { "filename", "content_type", "content_id" } do
        local part = { content = testing.blob("x"), [member] = bad }
        message, err = mail.build(draft { parts = { part } })
        assert(message == nil and err.code == "invalid_field", member .. bad)
      end
    end
    refused({ text = "\xc3\x28" }, "invalid_field", "text")
    refused({ html = "a\0b" }, "invalid_field", "html")
    refused({ thread_id = "" }, "invalid_field", "thread_id")
    refused({ thread_id = ("x"):rep(128) }, "invalid_field", "thread_id")
  end,

  ["parts are attached, or inline with a content id"] = function()
    local text = build {
      html = "<img src='cid:logo'>",
      parts = {
        { content = testing.blob("plain"), filename = "a.txt", content_type = "text/plain" },
        { content = testing.blob("\x89PNG"), content_type = "image/png", content_id = "logo" },
        { content = testing.blob("") },
      },
    }:bytes():string()
    has(text, "a.txt")
    has(text, "Content-ID: <logo>")
    has(text, testing.blob("plain"):base64_encode():string())
    has(text, "application/octet-stream")
    has(text, "multipart/mixed")
  end,

  ["1000 parts at most"] = function()
    local parts, content = {}, testing.blob("x")
    for i = 1, 1000 do
      parts[i] = { content = content, filename = i .. ".txt" }
    end
    has(build { parts = parts }:bytes():string(), "1000.txt")
    parts[1001] = parts[1]
    refused({ parts = parts }, "invalid_field", "attachments")
  end,

  ["a message has an end"] = function()
    local parts, megabyte = {}, testing.blob(("x"):rep(1 << 20))
    for i = 1, 27 do
      parts[i] = { content = megabyte }
    end
    local err = refused({ parts = parts }, "payload_too_large", "attachments")
    assert(err.status == 413)
    has(err.message, "36700160 bytes")
    assert(#build { parts = table.move(parts, 1, 3, 1, {}) } > 3 * (1 << 20) * 4 // 3)
  end,

  ["misuse raises"] = function()
    raises("unknown member 'sbject'", mail.build, draft { sbject = "x" })
    raises("unknown member '1'", mail.build, draft { "x" })
    raises("unknown member 'from.addres'", mail.build, draft { from = { addres = SENDER } })
    raises("unknown member 'parts[2].name'", mail.build, draft {
      parts = { { content = testing.blob("") }, { content = testing.blob(""), name = "x" } },
    })
    for name, value in pairs {
      id = false, from = "a@b", to = 1, cc = true, bcc = print, reply_to = 2, subject = 3,
      text = 4, html = {}, parts = "x", thread_id = 5, in_reply_to = {}, references = {}, date = 6,
    } do
      raises("'" .. name .. "'", mail.build, draft { [name] = value })
    end
    for _, name in ipairs { "id", "to", "subject" } do
      local message = draft()
      message[name] = nil
      raises("'" .. name .. "': string", mail.build, message)
    end
    raises("UUID", mail.build, draft { id = "1" })
    raises("'to[2]': string expected, got number", mail.build, draft { to = { "a@b", 2 } })
    raises("'to' must be a list", mail.build, draft { to = { a = "b@c" } })
    raises("'cc' must be a list", mail.build, draft { cc = { "a@b", nil, "c@d" } })
    raises("'from.address'", mail.build, draft { from = { name = "x" } })
    raises("'from.name'", mail.build, draft { from = { address = SENDER, name = 1 } })
    raises("parts", mail.build, draft { parts = { "x" } })
    raises("'to': string or table expected, got nil", mail.build, { id = ID, subject = "" })
    raises("'parts[1].content': blob expected, got string", mail.build,
      draft { parts = { { content = "x" } } })
    raises("'parts[1].content'", mail.build, draft { parts = { { content = build() } } })
    raises("'parts[1].content'", mail.build, draft { parts = { { filename = "x" } } })
    raises("table", mail.build)
    raises("table", mail.build, "x")
    raises("paraph.message", build().etag, {})
  end,

  ["a closed blob is no part, and leaves messages alone"] = function()
    local content = testing.blob("abc")
    local message = build { parts = { { content = content } } }
    do
      local _ <close> = content
      local _ <close> = message:bytes()
    end
    raises("'parts[1].content'", mail.build, draft { parts = { { content = content } } })
    assert(#message > 0 and #message:etag() == 64)
    assert(mail.send(message))
  end,

  ["send"] = function()
    local sent = assert(mail.send(build()))
    assert(crypto.is_uuid(sent.id))
    assert(sent.thread_id == sent.id)
    assert(assert(mail.send(build())).id ~= sent.id)
    assert(assert(mail.send(build { thread_id = "t-1" })).thread_id == "t-1")
  end,

  ["a draft waits, and is sent once"] = function()
    local claim = claim_it()
    local waiting = assert(mail.draft_create(claim, build { thread_id = "t-1" }))
    assert(waiting.mailbox == SENDER and waiting.thread_id == "t-1" and waiting.key == ID)
    assert(mail.draft_exists(waiting) == true)
    local sent = assert(mail.draft_send(claim, waiting))
    assert(sent.id == ID and sent.thread_id == "t-1")
    local again, err = mail.draft_send(claim, waiting)
    assert(again == nil and err.code == "not_found" and err.unknown == nil)
    local exists, found = mail.draft_exists(waiting)
    assert(exists == false and found.id == ID and found.thread_id == "t-1" and found.sent)
  end,

  ["a draft can be taken away"] = function()
    local claim = claim_it()
    local waiting = assert(mail.draft_create(claim, build()))
    assert(mail.draft_delete(waiting) == true)
    assert(mail.draft_delete(waiting) == false)
    assert(mail.draft_exists(waiting) == false)
    assert(select(2, mail.draft_send(claim, waiting)).code == "not_found")
  end,

  ["of what was taken away it is not known that it was sent"] = function()
    local id = crypto.uuid4()
    local waiting = assert(mail.draft_create(claim_it(id), build { id = id }))
    assert(mail.draft_delete(waiting))
    local exists, found = mail.draft_exists(waiting)
    assert(exists == false and found.sent == nil)
  end,

  ["the drafts of a message are found, whoever made them"] = function()
    local id = crypto.uuid4()
    local claim, message = claim_it(id), build { id = id }
    assert(#assert(mail.drafts_of(id)) == 0)
    local one = assert(mail.draft_create(claim, message))
    local two = assert(mail.draft_create(claim, message))
    local found = {}
    for _, waiting in ipairs(assert(mail.drafts_of(id))) do
      assert(waiting.mailbox == SENDER)
      found[waiting.id] = true
    end
    assert(found[one.id] and found[two.id])
    assert(mail.draft_delete(one) and mail.draft_delete(two))
    assert(#assert(mail.drafts_of(id)) == 0)
  end,

  ["what was written down of a draft is enough"] = function()
    local claim = claim_it()
    local waiting = assert(mail.draft_create(claim, build()))
    local known = { id = waiting.id, mailbox = waiting.mailbox, key = ID }
    assert(assert(mail.draft_send(claim, known)).id == ID)
    local sent, err =
      mail.draft_send(claim, { id = waiting.id, mailbox = "eve@example.org", key = ID })
    assert(sent == nil and err.code == "forbidden")
    sent, err = mail.draft_send(claim, { id = "r1", mailbox = SENDER, key = ID })
    assert(sent == nil and err.code == "invalid_field")
  end,

  ["what makes a message an answer"] = function()
    local headers = assert(mail.reply_headers("t-1", "1@x.org"))
    assert(headers.thread_id == "t-1" and headers.in_reply_to == "1@x.org")
    assert(next(assert(mail.reply_headers())) == nil)
    assert(select(2, mail.reply_headers("t-1", nil, "eve@example.org")).code == "forbidden")
    local text = build { in_reply_to = "1@x.org", references = "<0@x.org> <1@x.org>" }
      :bytes():string()
    has(text, "\r\nIn-Reply-To: <1@x.org>\r\n")
    has(text, "\r\nReferences: <0@x.org> <1@x.org>\r\n")
    refused({ references = "0@x.org" }, "invalid_field", "references")
  end,

  ["refusals can be rehearsed"] = function()
    local sent, err = mail.send(build { cc = "tempfail@example.test" })
    assert(sent == nil and err.code == "gmail_error" and err.status == 502)
    assert(err.retry_after == 30 and err.unknown == nil)
    local _, for_good = mail.send(build { bcc = "permfail@example.test" })
    assert(for_good.code == "gmail_error" and for_good.retry_after == nil)
    assert(for_good.message ~= err.message)
  end,

  ["misuse of send raises"] = function()
    raises("paraph.message", mail.send, {})
    raises("UUID", mail.drafts_of, "1")
    local claim = claim_it()
    raises("paraph.message", mail.draft_create, claim, ID)
    raises("paraph.claim", mail.draft_create, ID, build())
    local function send(waiting) return mail.draft_send(claim, waiting) end
    for _, f in ipairs { send, mail.draft_exists, mail.draft_delete } do
      raises("table", f, ID)
      raises("'id'", f, { mailbox = SENDER })
      raises("'mailbox'", f, { id = "r1" })
      raises("'thread_id'", f, { id = "r1", mailbox = SENDER, thread_id = 7 })
    end
    raises("string", mail.reply_headers, {})
  end,

  ["profile"] = function()
    assert(assert(mail.profile()).address == SENDER)
    assert(select(2, mail.profile("eve@example.org")).code == "forbidden")
  end,

  ["nobody's signature is read whom we do not know"] = function()
    local html, err = mail.signature("eve@example.org")
    assert(html == nil and err.code == "forbidden" and err.field == "from")
  end,

  ["signature and default sender"] = function()
    local html = assert(mail.signature())
    assert(type(html) == "string" and #html > 0)
    assert(mail.signature(SENDER) == html)
    assert(SENDER:match("^[^@]+@[^@]+$"))
  end,
}
