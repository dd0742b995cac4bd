local expect = require "lib.expect"
local limits = require "policy.limits"

return {
  ["nothing is limited, and so nothing counted"] = function()
    expect.equal(limits.of { sender = { address = "me@example.org" } }, {})
  end,
}
