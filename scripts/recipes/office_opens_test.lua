local expect = require "lib.expect"
local office_opens = require "recipes.office_opens"

local ADDRESSES = { "192.0.2.7", "198.51.100.", "2001:db8:1:2:" }

local function open(remote, forwarded)
  return {
    user_agent = "Mozilla/5.0 Thunderbird/128.0", referer = "", purpose = "", remote = remote,
    forwarded = forwarded or "", age = 60, count = 0, base_url = "", pixel = {},
  }
end

--- { proxies, peer, X-Forwarded-For, kind }
local cases = {
  { nil, "192.0.2.7", "", "sender" },
  { nil, "192.0.2.70", "", "person" },
  { nil, "198.51.100.3", "", "sender" },
  { nil, "::ffff:198.51.100.3", "", "sender" },
  { nil, "2001:DB8:1:2::5", "", "sender" },
  { nil, "2001:db8:1:22::5", "", "person" },
  { nil, "203.0.113.1", "192.0.2.7", "person" },
  { 1, "203.0.113.1", "192.0.2.7", "sender" },
  { 1, "203.0.113.1", "203.0.113.9, 192.0.2.7", "sender" },
  { 1, "203.0.113.1", "192.0.2.7, 203.0.113.9", "person" },
  { 2, "203.0.113.1", "192.0.2.7, 203.0.113.9", "sender" },
  { 1, "192.0.2.7", "", "person" },
}

local tests = {}

for i, case in ipairs(cases) do
  local proxies, remote, forwarded, wanted = table.unpack(case, 1, 4)
  tests[("%02d: %s, %s"):format(i, remote, forwarded)] = function()
    local classify = office_opens { addresses = ADDRESSES, proxies = proxies }
    local kind, reason, kept = classify(open(remote, forwarded))
    expect.equal({ kind, kept }, { wanted, nil })
    assert(#reason > 5)
  end
end

tests["the mail reader is kept, if that is wanted"] = function()
  local classify = office_opens { keep_user_agent = true }
  local _, _, kept = classify(open("192.0.2.7"))
  expect.equal(kept, { user_agent = "Mozilla/5.0 Thunderbird/128.0" })
end

tests["a mail reader with a long name is cut between two characters"] = function()
  local long = open("192.0.2.7")
  long.user_agent = "x" .. ("ü"):rep(500)
  local _, _, kept = office_opens { keep_user_agent = true }(long)
  expect.equal(kept.user_agent, "x" .. ("ü"):rep(149))
end

tests["what the policy around it keeps stays"] = function()
  local function inner() return "person", "because", { client = "x" } end
  local kind, _, kept = office_opens({ keep_user_agent = true }, inner)(open("192.0.2.7"))
  expect.equal({ kind, kept.client, kept.user_agent },
    { "person", "x", "Mozilla/5.0 Thunderbird/128.0" })
end

return tests
