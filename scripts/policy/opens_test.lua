local expect = require "lib.expect"
local opens = require "policy.opens"

--- A person with a browser, a minute after the message left, but for `more`.
local function open(more)
  local seen = {
    user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
    referer = "", purpose = "", remote = "192.0.2.1", forwarded = "", age = 60, count = 0,
    base_url = "https://mail.example.org", pixel = { to = "ann@example.com" },
  }
  for name, value in pairs(more) do seen[name] = value end
  return seen
end

--- { kind, what is different }
local cases = {
  ["a mail reader"] = { "person", {} },
  ["Gmail's proxy"] = { "proxy", { user_agent =
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)" } },
  ["Gmail's proxy at once"] = { "proxy", { age = 1, user_agent = "GoogleImageProxy" } },
  ["Yahoo's proxy"] = { "proxy", { user_agent = "YahooMailProxy; https://help.yahoo.com" } },
  ["Apple Mail"] = { "prefetch", { user_agent = "Mozilla/5.0" } },
  ["a browser that says so"] = { "prefetch", { purpose = "prefetch;prerender" } },
  ["a filter by its name"] = { "scanner", { user_agent = "Proofpoint URL Defense" } },
  ["a robot"] = { "scanner", { user_agent = "Mozilla/5.0 (compatible; Somebot/2.1)" } },
  ["a program"] = { "scanner", { user_agent = "curl/8.5.0" } },
  ["nobody"] = { "scanner", { user_agent = "" } },
  ["too soon"] = { "scanner", { age = 1 } },
  ["our own pages"] = { "sender", { referer = "https://mail.example.org/review/1" } },
  ["another's pages"] = { "person", { referer = "https://mail.example.com/" } },
}

local tests = {}

for name, case in pairs(cases) do
  tests[name] = function()
    local kind, reason, kept = opens.classify(open(case[2]))
    expect.equal({ kind, kept }, { case[1], nil })
    assert(#reason > 5)
  end
end

return tests
