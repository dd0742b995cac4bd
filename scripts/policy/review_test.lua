local expect = require "lib.expect"
local review = require "policy.review"

local request = {
  draft = { to = "ann@example.com", subject = "Hello", body = "Hi" },
  sender = "me@example.org",
  recipients = { "ann@example.com" },
  caller = { name = "crm", roles = { send = true } },
}

return {
  ["what may be sent is sent"] = function()
    expect.equal(review.decide(request), "send")
  end,
}
