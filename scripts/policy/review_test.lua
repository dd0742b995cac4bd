local expect = require "lib.expect"
local review = require "policy.review"

local letter = {
  draft = { to = "ann@example.com", subject = "Hello", body = "Hi" },
  sender = { address = "me@example.org", local_part = "me", domain = "example.org" },
  recipients = {
    { address = "ann@example.com", local_part = "ann", domain = "example.com", field = "to" },
  },
  domains = { "example.com" },
  caller = { name = "crm", roles = { send = true } },
  approvals = { "anna" },
}

return {
  ["what may be sent is sent"] = function()
    expect.equal(review.decide(letter), "send")
  end,

  ["one reviewer is enough"] = function()
    expect.equal(review.approve(letter), "send")
  end,
}
