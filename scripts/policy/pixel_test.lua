local expect = require "lib.expect"
local pixel = require "policy.pixel"

return {
  ["it follows the message"] = function()
    expect.equal(pixel.place { domains = { "example.com" } }, "after_message")
  end,

  ["the image is the one that is promised"] = function()
    expect.equal(pixel.html("https://t.example.org", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
      '<img src="https://t.example.org/pixel?id=6ba7b810-9dad-11d1-80b4-00c04fd430c8" '
        .. 'width="1" height="1" alt="" style="display:none;">')
  end,
}
