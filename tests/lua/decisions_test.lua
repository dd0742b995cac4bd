--- What policies decide, and what becomes of it.

local access = require "access"
local address = require "paraph.address"
local api = require "api.drafts"
local config = require "paraph.config"
local decisions = require "lib.decisions"
local delivery = require "lib.delivery"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local hooks = require "lib.hooks"
local json = require "paraph.json"
local letters = require "lib.letter"
local limits = require "policy.limits"
local compose = require "policy.compose"
local messages = require "api.messages"
local pixel = require "policy.pixel"
local quota = require "lib.quota"
local review = require "policy.review"
local rules = require "lib.rules"
local settings = require "lib.settings"
local store = require "paraph.store"
local task = require "paraph.task"
local testing = require "paraph.testing"
local time = require "paraph.time"

local CRM = { name = "crm", roles = { send = true } }
local ANNA = { name = "anna", roles = { review = true } }
local BERT = { name = "bert", roles = { review = true } }

local function message(more)
  local fields = { to = "ann@example.com", subject = "Hello", message = "Hi", mode = "send" }
  for name, value in pairs(more or {}) do fields[name] = value end
  return fields
end

local function post(more)
  return messages.submit(message(more), CRM)
end

local function stored(id)
  return assert(store.get(config.draft_collection, id))
end

local function approve(id, reviewer)
  return delivery.send_draft(assert(drafts.load(id)), nil, reviewer)
end

local function send_by_api(id)
  return api.send {
    headers = {}, caller = ANNA, body = testing.blob(json.encode { draft_id = id }),
  }
end

--- A limit whose count begins anew with each test.
local names = 0
local function limited(most, count, body)
  names = names + 1
  local name = "test " .. names
  expect.while_replaced(limits, "of", function()
    return { { name = name, most = most, count = count } }
  end, function() body(name) end)
end

local function counted(name)
  local counters = assert(quota.load({ { name = name, most = 0, count = 1 } }, time.date()))
  return counters[1].used
end

local tests = {}

tests["a NUL in a variable is that variable's fault"] = function()
  expect.refused("invalid_field", "vars", messages.submit({ to = "ann@example.com", mode = "draft",
    subject = "Hello", template = "welcome", vars = { product = "x\0y", name = "Ann" } }, CRM))
end

tests["approvals that are none do not count"] = function()
  local reply = assert(post { mode = "draft" })
  assert(store.update(config.draft_collection, reply.json.draft_id, { approvals = { 1, "x" } }))
  assert(approve(reply.json.draft_id, ANNA))
end

tests["what is no object is refused, not an error of the policy"] = function()
  expect.refused("invalid_field", nil, messages.submit("x", CRM))
end

tests["a list that has stayed empty is as good as none"] = function()
  assert(post { mode = "draft", attachments = {}, vars = {} })
  expect.refused("invalid_field", "to", post { to = {} })
end

-- --- the letter ----------------------------------------------------------------------------------

tests["the letter splits recipients, and tells sizes"] = function()
  local letter = letters.of({
    to = 'Ann <Ann@Example.com>, "b c"@example.com', cc = { "cy@b\u{FC}cher.example" },
    bcc = "nobody", subject = "s", body = "Hi", template = "welcome", from = "Me <me@example.org>",
    attachments = { { filename = "a.txt", content_type = "text/plain", size = 5 } },
    created_by = "crm",
  })
  expect.equal(#letter.recipients, 3)
  expect.equal(letter.recipients[1], {
    address = "Ann@example.com", local_part = "Ann", domain = "example.com", field = "to" })
  expect.equal(letter.recipients[3].field, "cc")
  expect.equal(letter.domains, { "example.com", "xn--bcher-kva.example" })
  expect.equal({ letter.sender.address, letter.template, letter.size },
    { "me@example.org", "welcome", 7 })
  expect.equal(letter.attachments,
    { { filename = "a.txt", content_type = "text/plain", size = 5 } })
  expect.equal(letter.caller, { name = "crm", roles = {} })
  assert(letter.now.weekday >= 1 and letter.now.weekday <= 7 and letter.now.utc)
end

tests["mailboxes are counted as they are parsed"] = function()
  for _, list in ipairs { "", "a@b.example", "g: a@b.example, c@d.example;, e@f.example" } do
    expect.equal(address.count(list), #address.parse(list))
  end
  expect.equal({ address.count("a@b.example, c@") }, { address.parse("a@b.example, c@") })
end

tests["a letter of a document that holds nonsense is there all the same"] = function()
  for _, document in ipairs {
    {}, { to = 7, cc = {}, bcc = { 7, {} }, attachments = "x", body = {} },
    { to = "@", attachments = { {} } },
  } do
    expect.equal(#letters.of(document).recipients, 0)
  end
end

tests["every policy of a message sees who posted it, sent at once or reviewed"] = function()
  local seen = {}
  expect.while_replaced(pixel, "place", function(letter)
    seen[#seen + 1] = letter.caller.name
    return "end"
  end, function()
    assert(post())
    assert(approve(assert(post { mode = "draft" }).json.draft_id, ANNA))
  end)
  assert(#seen >= 3)
  for _, name in ipairs(seen) do expect.equal(name, "crm") end
end

tests["a policy that changes its letter changes no message"] = function()
  local spoil = function(letter)
    letter.draft.to, letter.draft.metadata.deal, letter.recipients = "eve@example.net", 0, nil
    return "hold", "spoilt"
  end
  expect.while_replaced(review, "decide", spoil, function()
    local id = assert(post { metadata = { deal = 42, tags = {} } }).json.draft_id
    expect.equal({ stored(id).to, stored(id).metadata.deal }, { "ann@example.com", 42 })
  end)
end

-- --- rules ---------------------------------------------------------------------------------------

tests["the first rule that says something decides, and tells its name and place"] = function()
  local decide = rules.first {
    { "silent", function() end },
    { "many", function(letter)
      if #letter.recipients > 1 then return "hold", "more than one" end
    end },
    { "never", function() return "refuse", "no" end },
  }
  expect.while_replaced(review, "decide", decide, function()
    local answer = assert(post { to = "ann@example.com, bob@example.com" }).json
    expect.equal(answer.held, "more than one")
    local decision = stored(answer.draft_id).decision
    expect.equal({ decision.verdict, decision.rule, decision.reason },
      { "hold", "many", "more than one" })
    expect.holds(decision.at, "decisions_test.lua:")
    expect.equal(expect.refused("refused_by_policy", nil, post()).message, "no")
  end)
end

tests["rules that are none are told at once, at the line that lists them"] = testing.cases({
  { name = "no function", list = { { "a", print }, { "b" } }, says = "rule 2 is not { " },
  { name = "no name", list = { { print } }, says = "rule 1 is not { " },
  { name = "no braces", list = { print }, says = "rule 1 is not { " },
  { name = "a gap", list = { nil, { "b", print } }, says = "rule 1 is not { " },
  { name = "one under a name", list = { { "a", print }, b = { "b", print } },
    says = "rule 2 is not { " },
  { name = "no list", list = "a", says = "a list of rules is wanted: { { " },
  { name = "nothing", list = nil, says = "a list of rules is wanted: { { " },
}, function(row)
  local _, err = pcall(function() return (rules.first(row.list)) end)
  expect.holds(err, "decisions_test.lua:")
  expect.holds(err, row.says)
end)

-- --- hooks that fail -----------------------------------------------------------------------------

--- { what is replaced, by what, a part of the reason }
local failures = {
  ["review that raises"] = { review, "decide", function() error("the bug") end, "the bug" },
  ["review that decides nothing"] = { review, "decide", function() end, "decide answers nil" },
  ["review with an odd verdict"] =
    { review, "decide", function() return "perhaps" end, 'answers "perhaps"' },
  ["review with an odd reason"] =
    { review, "decide", function() return "hold", {} end, "no text" },
  ["limits that are no list"] = { limits, "of", function() return 7 end, "of answers no list" },
  ["limits with an odd limit"] =
    { limits, "of", function() return { { name = "x" } } end, "limit 1 is no" },
  ["a pixel that stands nowhere known"] =
    { pixel, "place", function() return "left" end, 'answers "left"' },
  ["a pixel that is no text"] = { pixel, "html", function() return {} end, "answers no text" },
  ["bodies that raise"] = { compose, "bodies", function() error("the bug") end, "the bug" },
  ["bodies that are none"] = { compose, "bodies", function() return "x" end, "no two texts" },
}

for name, failure in pairs(failures) do
  local owner, hook, broken, reason = table.unpack(failure)
  tests["a send waits for a review, with the reason: " .. name] = function()
    expect.while_replaced(owner, hook, broken, function()
      local err = expect.refused("policy_error", nil, post())
      expect.holds(err.message, "kept as a draft")
      expect.lacks(err.message, ".lua")
      local draft = stored(err.details.draft_id)
      expect.equal({ draft.status, draft.held, draft.decision.verdict },
        { "pending", "policy_error", "hold" })
      expect.holds(draft.decision.reason, reason)
      assert(draft.decision.at:find("%.lua:%d+$"), draft.decision.at)
    end)
  end
end

tests["an approval that fails lets nothing out"] = function()
  local id = assert(post { mode = "draft" }).json.draft_id
  expect.while_replaced(review, "approve", function() error("the bug") end, function()
    expect.refused("policy_error", nil, approve(id, ANNA))
  end)
  expect.equal(stored(id).status, "pending")
  assert(approve(id, ANNA))
end

tests["a module without its hooks is refused, and what it leaves out is as shipped"] = function()
  hooks.check()
  expect.while_replaced(review, "approve", nil, function()
    hooks.check()
    expect.equal(assert(hooks.approve(letters.of {})).verdict, "send")
    expect.while_replaced(review, "decide", nil, function()
      expect.raises("policy/review.lua: returns no table with a function 'decide' or 'approve'",
        hooks.check)
    end)
  end)
  expect.while_replaced(access, "roles", 7, function()
    expect.raises("access.lua: returns no table with a function 'roles'", hooks.check)
  end)
end

tests["four_eyes: nobody approves what he wrote, or has changed"] = function()
  local draft = { document = { created_by = ANNA.name } }
  local function on_approval(reviewer) return decisions.on_approval(draft, "etag", reviewer) end
  expect.equal(assert(on_approval(ANNA)).verdict, "send")
  expect.while_replaced(settings, "four_eyes", true, function()
    expect.refused("forbidden", nil, on_approval(ANNA))
    expect.equal(assert(on_approval(BERT)).verdict, "send")
    draft.document.edited_by = { "CY", BERT.name }
    expect.refused("forbidden", nil, on_approval(BERT))
    draft.document.edited_by = "nonsense in the store"
    expect.equal(assert(on_approval(BERT)).verdict, "send")
  end)
end

-- --- approvals -----------------------------------------------------------------------------------

local function two_reviewers(letter)
  if #letter.approvals < 2 then return "hold", "a second reviewer must approve it" end
  return "send"
end

tests["a second reviewer lets out what the first one approved"] = function()
  local id = assert(post { mode = "draft" }).json.draft_id
  expect.while_replaced(review, "approve", two_reviewers, function()
    local err = expect.refused("refused_by_policy", nil, approve(id, ANNA))
    expect.equal({ err.message, err.details.approvals },
      { "a second reviewer must approve it", 1 })
    expect.refused("refused_by_policy", nil, approve(id, ANNA))
    expect.equal({ #stored(id).approvals, stored(id).approvals[1].by, stored(id).status },
      { 1, "anna", "pending" })
    assert(approve(id, BERT))
    expect.equal({ stored(id).status, stored(id).reviewed_by }, { "sent", "bert" })
  end)
end

tests["what was edited must be approved again"] = function()
  local id = assert(post { mode = "draft" }).json.draft_id
  expect.while_replaced(review, "approve", two_reviewers, function()
    expect.refused("refused_by_policy", nil, approve(id, ANNA))
    assert(store.update(config.draft_collection, id, { subject = "Other" }))
    local err = expect.refused("refused_by_policy", nil, approve(id, BERT))
    expect.equal(err.details.approvals, 1)
    assert(approve(id, ANNA))
  end)
end

tests["of two reviewers at the same moment one is told to try again"] = function()
  local id = assert(post { mode = "draft" }).json.draft_id
  expect.while_replaced(review, "approve", two_reviewers, function()
    local draft = assert(drafts.load(id))
    assert(store.update(config.draft_collection, id, { approvals = {} }))
    expect.refused("conflict", nil, delivery.send_draft(draft, nil, ANNA))
  end)
end

-- --- limits --------------------------------------------------------------------------------------

tests["what exceeds the day's limit is held"] = function()
  limited(2, nil, function(name)
    assert(post().json.id and post().json.id)
    local answer = assert(post()).json
    expect.equal(answer.held, "2 messages a day: " .. name)
    local decision = stored(answer.draft_id).decision
    expect.equal(decision.rule, "limits.of")
    assert(decision.at:find("%.lua:%d+$"), decision.at)
    expect.equal(counted(name), 2)
    assert(approve(answer.draft_id, ANNA))
  end)
end

tests["a message may count as several"] = function()
  limited(5, 3, function(name)
    assert(post().json.id)
    assert(post().json.held)
    expect.equal(counted(name), 3)
  end)
end

tests["the policy sees what has left today"] = function()
  limited(9, nil, function(name)
    local seen
    assert(post())
    expect.while_replaced(review, "decide", function(letter)
      seen = letter.today[name]
      return "hold", "enough"
    end, post)
    expect.equal({ seen, counted(name) }, { 1, 1 })
  end)
end

tests["what a reviewer lets out is counted, unless it was refused"] = function()
  local sent = assert(post { mode = "draft" }).json.draft_id
  local refused = assert(post { mode = "draft", to = "permfail@example.test" }).json.draft_id
  limited(0, nil, function(name)
    assert(send_by_api(sent))
    expect.refused("gmail_error", nil, send_by_api(refused))
    expect.refused("already_sent", nil, send_by_api(sent))
    expect.equal(counted(name), 1)
  end)
end

tests["what was refused by the mailbox is given back"] = function()
  limited(9, nil, function(name)
    expect.refused("gmail_error", nil, post { to = "permfail@example.test" })
    expect.equal(counted(name), 0)
  end)
end

tests["one limit that is reached leaves the others alone"] = function()
  names = names + 2
  local wide, narrow = "test " .. names, "test " .. names - 1
  expect.while_replaced(limits, "of", function()
    return { { name = wide, most = 9 }, { name = narrow, most = 0 } }
  end, function()
    expect.equal(assert(post()).json.held, "0 messages a day: " .. narrow)
    expect.equal({ counted(wide), counted(narrow) }, { 0, 0 })
  end)
end

tests["many at once never exceed the limit"] = function()
  limited(5, nil, function(name)
    local sends = {}
    for i = 1, 12 do sends[i] = function() return post() end end
    local left = 0
    for _, result in ipairs(task.all(sends)) do
      if result[1] and result[1].json.id then left = left + 1 end
    end
    expect.equal({ left, counted(name) }, { 5, 5 })
  end)
end

tests["of many at once each is counted, sent, let out or given back"] = function()
  limited(100, nil, function(name)
    local sends = {}
    for i = 1, 60 do
      sends[i] = function()
        if i % 3 > 0 then return post() end
        local counters = decisions.count(message())
        if i % 2 > 0 then quota.give_back(counters) end
        return #counters == 1
      end
    end
    for _, result in ipairs(task.all(sends)) do assert(result[1], result[2]) end
    expect.equal(counted(name), 50)
  end)
end

tests["what an endpoint of an overlay submits is checked as a request is"] = function()
  expect.refused("invalid_field", "subject", post { subject = "a\nBcc: eve@example.org" })
  expect.refused("invalid_field", "message", post { message = 1 })
  expect.refused("unknown_field", "body", post { body = "Hi" })
  expect.refused("invalid_recipient", "to", post { to = "nobody" })
end

tests["counts of days that are over are forgotten"] = function()
  local collection = config.draft_collection .. "_counts"
  local old = time.format(time.parse(time.now()) - 3 * 86400)
  assert(store.create(collection, "old", { count = 1, created_at = old }))
  assert(store.create(collection, "new", { count = 1, created_at = time.now() }))
  quota.sweep()
  expect.equal({ store.get(collection, "old"), (store.get(collection, "new") or {}).count },
    { nil, 1 })
end

return tests
