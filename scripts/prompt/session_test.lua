--- Lines at the prompt: what they do, in a scratch in place of the rehearsal.

local expect = require "lib.expect"
local globals = require "prompt.globals"
local policy = require "paraph.policy"
local session = require "prompt.session"
local testing = require "paraph.testing"

local tests = {}

local ALL = { draft = true, send = true, review = true, ops = true }

local function host(changes)
  local given = { columns = 80, live = false, attached = false,
    caller = { name = "ann", method = "prompt", roles = ALL } }
  for name, value in pairs(changes or {}) do given[name] = value end
  return given
end

local function run(line, changes)
  return session.run(line, host(changes))
end

--- What a line shows.
local function shown(line, changes)
  local word, text = run(line, changes)
  if word ~= "shown" then error(("%s: %s: %s"):format(line, word, tostring(text)), 2) end
  return text
end

local function failed(line, changes)
  local word, text = run(line, changes)
  if word ~= "failed" then error(("%s: %s: %s"):format(line, word, tostring(text)), 2) end
  return text
end

local MESSAGE = [[{ to = "ann@example.com", subject = "Hello", message = "Hi Ann!" }]]

-- --- Lua -----------------------------------------------------------------------------------------

tests.lines = testing.cases({
  { name = "an expression", line = "1 + 1", text = "2" },
  { name = "several", line = "1, 'a', nil", text = '1, "a", nil' },
  { name = "nothing", line = "   ", text = nil },
  { name = "a statement", line = "x_of_test = 7", text = "" },
  { name = "a module without require", line = "json.encode { a = 1 }", text = '"{\\"a\\":1}"' },
  { name = "an error of the world", line = "drafts.load('no')",
    text = "nil, draft_not_found: there is no draft with this id" },
}, function(row) expect.equal(shown(row.line), row.text) end)

tests["a variable stays, and the last result is _"] = function()
  run "y_of_test = { 1, 2 }"
  expect.equal(shown "y_of_test[2] + 40", "42")
  expect.equal(shown "_ + 1", "43")
end

tests["a statement may go on"] = testing.cases({
  { name = "for", line = "for i = 1, 2 do" },
  { name = "a call", line = "store.get(" },
  { name = "a table", line = "{ a = 1," },
  { name = "of a command", line = ":send { to = 'a@example.com'," },
}, function(row) expect.equal((run(row.line)), "more") end)

tests["what the compiler says has a caret"] = function()
  expect.equal(failed "local x = = 2",
    "unexpected symbol near '='\n  local x = = 2\n          ^")
end

tests["a name that is none"] = function()
  expect.raises("there is no 'no_such_name'", run, "no_such_name.x")
end

tests["an error names the line, and the calls in files of one's own"] = function()
  local trace = "policy/review.lua:17: attempt to index a nil value (local 'letter')\n"
    .. "stack traceback:\n\tpolicy/review.lua:17: in field 'decide'\n"
    .. "\tother/hooks.lua:83: in upvalue 'ask'\n\t[C]: in function 'pcall'\n"
    .. "\tprompt:1: in function <prompt:1>"
  local text = session.explain(trace, "review.decide()")
  expect.holds(text, "policy/review.lua:17: attempt to index")
  expect.holds(text, "^")
  expect.holds(text, "called from policy/review.lua:17, in field 'decide'")
  expect.holds(text, "called from the line typed")
  expect.lacks(text, "hooks.lua")
end

tests["a hook that fails is told"] = function()
  session.begin(function(module) return module end)
  expect.while_replaced(policy, "failed", policy.failed, function()
    policy.failed("review.decide", "policy/review.lua:1: no\nstack traceback:\n")
    local text = session.explain("prompt:1: odd", "odd()")
    expect.holds(text, "the hook review.decide has failed: policy/review.lua:1: no")
  end)
  expect.equal(shown "1", "1")
end

-- --- commands ------------------------------------------------------------------------------------

tests["every command is in the help, and has one of its own"] = function()
  local text = shown ":help"
  for _, name in ipairs { "help", "drafts", "show", "preview", "why", "send", "request", "reload",
    "routes", "doctor", "quota", "replay", "time", "live", "dry", "outbox", "quit" } do
    expect.holds(text, ":" .. name)
    expect.holds(shown(":help " .. name), ":" .. name)
  end
  expect.holds(failed ":nosuch", ":nosuch is no command")
end

tests["a command without what it is about says what that is"] = function()
  expect.equal(failed ":show", ":show needs ID: a draft, as it is stored")
  for _, name in ipairs { "show", "preview", "why", "send", "request", "time" } do
    expect.holds(failed(":" .. name .. " "), (":%s needs "):format(name))
  end
end

tests["help knows functions of the host and of scripts"] = function()
  expect.holds(shown ":help store.get", "store.get(collection, id, options)")
  expect.holds(shown ":help drafts.load", "drafts.load(id)")
  expect.holds(shown ":help fetch", "fetch(request)")
  expect.holds(failed ":help no.such", "nothing is known")
end

tests["help shows the words above a function, and no class"] = function()
  for name, module in pairs(globals.modules) do
    local own = module:find("^paraph%.") and require(module)
    for member, value in pairs(type(own) == "table" and own or {}) do
      if type(value) == "function" then
        expect.lacks(shown((":help %s.%s"):format(name, member)), "@")
      end
    end
  end
end

tests["send: sent, drafted, refused"] = function()
  expect.equal((run(":send " .. MESSAGE)), "shown")
  expect.holds(shown(":send " .. MESSAGE:gsub("{", "{ mode = 'draft',", 1)), " waits at /review/")
  expect.holds(shown ":drafts", "Hello")
  expect.holds(shown ":drafts pending", "Hello")
  expect.equal(shown ":drafts held", "no drafts")
  expect.equal(failed ":drafts nonsense", "nonsense is no status of a draft: approved, failed, "
    .. "held, pending, rejected, sending, sent")
  expect.holds(shown ":show _", "\nsubject         Hello\n")
  expect.holds(failed ':send {"to": "nobody", "subject": "x", "message": "y"}',
    "invalid_recipient: to: ")
  expect.holds(failed ":send 7", "this is no table")
  expect.equal(#testing.letters(), 1)
end

tests["show: names and values of a sent draft stand apart"] = function()
  run(":send " .. MESSAGE:gsub("{", "{ mode = 'draft',", 1))
  local id = globals.env._
  shown ":request POST /send-draft { draft_id = _ }"
  local text = shown(":show " .. id)
  expect.holds(text, "\ngmail_draft_id  ")
  expect.holds(text, "\nmessage_id      ")
end

local function hold()
  return "hold", "because"
end

tests["why: the decision then, and now"] = function()
  expect.while_replaced(require "policy.review", "decide", hold, function()
    expect.holds(shown(":send " .. MESSAGE), "held: because")
    local text = shown ":why _"
    expect.holds(text, "decided: hold: because")
    expect.holds(text, "prompt/session_test.lua:")
    expect.holds(text, "as the rules are now: hold: because")
  end)
  expect.holds(shown ":why _", "as the rules are now: send")
  expect.holds(failed ":why 11111111-1111-4111-8111-111111111111", "draft_not_found")
end

tests["why: every rule of a list"] = function()
  local rules = require "lib.rules"
  local decide = rules.first {
    { "silent", function() end }, { "strict", hold },
    { "behind", function() return "refuse" end },
  }
  expect.while_replaced(require "policy.review", "decide", decide, function()
    run(":send " .. MESSAGE)
    local text = shown ":why _"
    expect.holds(text, "1. silent")
    expect.holds(text, "says nothing")
    expect.holds(text, "2. strict")
    expect.holds(text, "3. behind")
  end)
end

tests["preview: of a message and of a draft"] = function()
  local text = shown(":preview " .. MESSAGE)
  expect.holds(text, "Subject: Hello")
  expect.holds(text, "Hi Ann!")
  expect.holds(text, "pixel ")
  run(":send " .. MESSAGE:gsub("{", "{ mode = 'draft',", 1))
  expect.holds(shown ":preview _", "Hi Ann!")
  expect.holds(failed ":preview { to = 'ann@example.com' }", "subject")
  expect.equal(#testing.letters(), 0)
end

tests["preview --html keeps a page"] = function()
  local kept
  local function save(page)
    kept = page
    return "preview-1.html"
  end
  expect.holds(shown(":preview --html " .. MESSAGE, { save = save }), "preview-1.html")
  expect.holds(kept, "<p>Hi Ann!</p>")
  expect.holds(failed(":preview " .. MESSAGE .. " --html"), "not on another machine")
end

tests["request: through routes and roles"] = function()
  expect.holds(shown ":request GET /health", "200")
  expect.holds(shown(":request POST / " .. MESSAGE), "draft_id")
  expect.holds(failed ":request GET /nowhere", "404")
  expect.holds(failed ":request nonsense", ":request METHOD PATH")
  local reader = { name = "bob", method = "key", roles = { ops = true } }
  expect.holds(failed(":request GET /drafts", { caller = reader }), "403")
end

tests["routes, quota, replay, time"] = function()
  expect.holds(shown ":routes", "/send-draft")
  expect.holds(shown ":quota", "nothing has been counted")
  expect.holds(shown ":replay 5", "no drafts")
  expect.holds(failed ":replay many", "a number from 1 to 1000")
  expect.holds(shown ":time 1 + 1", "ms")
end

-- --- generations ---------------------------------------------------------------------------------

tests["live asks, names the mailbox, and takes roles"] = function()
  local word, question, line = run ":live"
  expect.equal(word, "ask")
  expect.holds(question, "paraph@example.test")
  expect.equal(line, ":live paraph@example.test")
  expect.equal((run(line)), "live")
  expect.holds(failed ":live eve@example.com", "sends leave from paraph@example.test")
  local drafter = { name = "bob", method = "key", roles = { ops = true, review = true } }
  expect.holds(failed(line, { caller = drafter }), "takes the role `send`")
  expect.equal((run(":dry", { live = true })), "dry")
  expect.equal((run ":dry"), "shown")
  expect.equal((run ":reload"), "reload")
  expect.equal((run ":doctor"), "doctor")
  expect.holds(failed(":doctor", { attached = true }), "check --live")
  expect.equal((run ":q"), "quit")
end

tests["plain variables go from one generation to the next"] = function()
  run [[plain_of_test = { 1, "\0\n", 1.5, { deep = true }, math.huge, math.mininteger }]]
  run "odd_of_test = function() end"
  local word, lost, saved = run ":reload"
  expect.equal(word, "reload")
  expect.holds(lost, "odd_of_test")
  globals.env.plain_of_test = nil
  globals.restore(saved)
  expect.equal(globals.env.plain_of_test,
    { 1, "\0\n", 1.5, { deep = true }, math.huge, math.mininteger })
end

-- --- completion ----------------------------------------------------------------------------------

local function completed(text)
  local _, help, more = session.complete(text)
  local list = {}
  for line in (more .. "\n"):gmatch("([^\n]*)\n") do list[#list + 1] = line end
  local typed = table.remove(list, 1)
  return list, typed, help
end

local function has(list, wanted)
  for _, one in ipairs(list) do
    if one == wanted then return true end
  end
  return false
end

tests.completion = testing.cases({
  { name = "a command", text = ":pre", typed = ":pre", one = ":preview" },
  { name = "a global", text = "x = tost", typed = "tost", one = "tostring" },
  { name = "a module", text = "stor", typed = "stor", one = "store" },
  { name = "a member", text = "print(store.ge", typed = "store.ge", one = "store.get" },
  { name = "to require", text = 'require "policy.rev', typed = "policy.rev",
    one = "policy.review" },
  { name = "a status", text = ":drafts pen", typed = "pen", one = "pending" },
  { name = "a path", text = ":request GET /dra", typed = "/dra", one = "/drafts/{id}" },
  { name = "a template", text = ":send { template = 'mail/", typed = "mail/",
    one = "mail/layout" },
  { name = "help", text = ":help drafts.lo", typed = "drafts.lo", one = "drafts.load" },
}, function(row)
  local list, typed = completed(row.text)
  expect.equal(typed, row.typed)
  if not has(list, row.one) then error(row.one .. " is not in " .. table.concat(list, " ")) end
end)

tests["completion knows drafts, and says what the only one is"] = function()
  run(":send " .. MESSAGE:gsub("{", "{ mode = 'draft',", 1))
  local id = globals.env._
  expect.equal((completed(":show " .. id:sub(1, 5))), { id })
  expect.equal((completed("drafts.load('" .. id:sub(1, 5))), { id })
  local _, _, help = completed "store.get"
  expect.holds(help, "store.get(collection, id, options)")
end

return tests
