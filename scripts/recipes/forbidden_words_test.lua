local expect = require "lib.expect"
local forbidden_words = require "recipes.forbidden_words"
local letters = require "lib.letter"

local rule = forbidden_words { "password", "wire  transfer", "Kündigung", "100%" }

--- { body, the word it is held for; nil: it is not held }
local bodies = {
  { "Your PASSWORD: x", "password" },
  { "Your passwords" },
  { "mypassword" },
  { "password", "password" },
  { "A wire\r\ntransfer, please", "wire  transfer" },
  { "A wire-transfer", "wire  transfer" },
  { "wireless transfer" },
  { "KÜNDIGUNG!", "Kündigung" },
  { "Kundigung" },
  { "Vorkündigung" },
  { "“password”", "password" },
  { "«\u{A0}password\u{A0}»", "password" },
  { "pass\u{AD}word, or pass\u{200B}word", "password" },
  { "100 per cent", "100%" },
  { "1000" },
  { "" },
}

local tests = {}

for i, case in ipairs(bodies) do
  local body, word = case[1], case[2]
  tests[("body %02d: %s"):format(i, body)] = function()
    local verdict, reason = rule(letters.of { to = "ann@example.com", subject = "Hi", body = body })
    expect.equal({ verdict, reason }, word and { "hold", ("it says '%s'"):format(word) } or {})
  end
end

--- { is held, members of the draft }
local letters_of = {
  ["the subject counts"] = { true, { subject = "Password" } },
  ["subject and body are not read as one"] = { false, { subject = "A wire", body = "transfer" } },
  ["tags split no words"] = { true, { format = "html", body = "<p>pass<b>word</b></p>" } },
  ["tags are no words"] = { false, { format = "html", body = '<p class="password">x</p>' } },
  ["Markdown is read"] = { true, { format = "markdown", body = "**pass**word" } },
  ["what is too long is held unread"] = { true, { body = ("x"):rep(131073) } },
  ["what is not too long is read"] = { false, { body = ("x"):rep(131072) } },
  ["variables of a template are read"] =
    { true, { template = "welcome", vars = { product = "Password", name = "Bob" } } },
}

for name, case in pairs(letters_of) do
  tests[name] = function()
    expect.equal(rule(letters.of(case[2])), case[1] and "hold" or nil)
  end
end

tests["a word without letters is refused"] = function()
  expect.raises("'!' is no word", forbidden_words, { "!" })
end

return tests
