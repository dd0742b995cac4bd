local expect = require "lib.expect"
local letters = require "lib.letter"
local link_hosts = require "recipes.link_hosts"

local rule = link_hosts { "click.example.net" }

--- { HTML, the host it leads to; nil: it is not held }
local cases = {
  { '<a href="https://example.com/a">https://example.com/b</a>' },
  { '<a href="https://www.example.com">example.com</a>' },
  { '<a href="https://example.com">www.example.com</a>' },
  { '<a href="https://mail.example.com">example.com</a>' },
  { '<a href="https://example.com">mail.example.com</a>', "example.com" },
  { '<a href="https://evil.example">example.com</a>', "evil.example" },
  { '<a href="https://evil.example">click here</a>' },
  { '<a href="https://evil.example">see example.com for more</a>' },
  { '<a href="https://evil.example"><b>exam</b>ple.com/a</a>', "evil.example" },
  { '<a href="https://evil.example"> https://example.com </a>', "evil.example" },
  { "<a title='>' href='https://evil.example'>example.com</a>", "evil.example" },
  { '<A class=x\nHREF = https://evil.example>example.com</A>', "evil.example" },
  { '<a data-href="https://example.com" href="https://evil.example">example.com</a>',
    "evil.example" },
  { '<a title=" href=https://example.com </a>" href="https://evil.example">example.com</a>',
    "evil.example" },
  { '<a href="https://example.com@evil.example/">example.com</a>', "evil.example" },
  { '<a href="https:\\\\evil.example\\@example.com">example.com</a>', "evil.example" },
  { '<a href="ht&#x74;ps://evil.example">example.com</a>', "evil.example" },
  { '<a href="ht\ntps:evil.example">example.com</a>', "evil.example" },
  { '<a href="//evil.example:443">example.com</a>', "evil.example" },
  { '<a href="https://EXAMPLE.com.:8443/">example.com</a>' },
  { '<a href="https://notexample.com">example.com</a>', "notexample.com" },
  { '<a href="https://192.0.2.1/">example.com</a>', "192.0.2.1" },
  { '<a href="https://bücher.example">xn--bcher-kva.example</a>' },
  { '<a href="https://xn--bcher-kva.example">bücher.example</a>' },
  { '<a href="https://click.example.net/?u=1">example.com</a>' },
  { '<a href="mailto:bob@example.com">bob@example.com</a>' },
  { '<a href="mailto:bob@example.com">example.com</a>' },
  { '<a name="x">example.com</a>' },
  { '<a href="https://evil.example">version 1.5</a> <a href="https://evil.example">1.5</a>' },
  { '<a href="https://evil.example">report.pdf</a>', "evil.example" },
  { '<abbr href="https://evil.example">example.com</abbr>' },
  { '<a href="https://evil.example">example.com', "evil.example" },
  { '<a href="https://example.com">a</a><a href="https://evil.example">example.org</a>',
    "evil.example" },
  { '<a href="https://a.example">a<a href="https://evil.example">example.com</a>', "evil.example" },
  { "<!-- <a x=' --><a href='https://evil.example'>example.com</a>", "evil.example" },
  { "<!-- <a href='https://evil.example'>example.com</a> -->" },
  { "<!--[if mso]><a href='https://evil.example'>example.com</a><![endif]-->", "evil.example" },
  { "<a" }, { "<a " }, { '<a href="x' }, { "" },
}

local tests = {}

for i, case in ipairs(cases) do
  local html, host = case[1], case[2]
  tests[("%02d: %s"):format(i, html)] = function()
    local verdict, reason =
      rule(letters.of { to = "ann@example.com", body = html, format = "html" })
    expect.equal(verdict, host and "hold" or nil)
    if host then expect.holds(reason, "leads to " .. host) end
  end
end

tests["Markdown has links, plain text has none that lie"] = function()
  local body = "[example.com](https://evil.example)"
  expect.equal(rule(letters.of { body = body, format = "markdown" }), "hold")
  expect.equal(rule(letters.of { body = "https://example.com " .. body }), nil)
end

tests["what is too long is held unread"] = function()
  expect.equal({ rule(letters.of { body = ("x"):rep(131073), format = "html" }) },
    { "hold", "it is too long for the rules to look through" })
end

return tests
