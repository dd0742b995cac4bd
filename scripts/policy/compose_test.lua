local compose = require "policy.compose"
local expect = require "lib.expect"

local PIXEL = "<img>"
local SIGNED = '<br><div class="gmail_signature" data-smartmail="gmail_signature"><b>Me</b></div>'

local function bodies(html, place)
  return compose.bodies {
    format = "html", html = html, text = "Hi", signature = "<b>Me</b>", signature_text = "Me",
    pixel = place and PIXEL, place = place,
  }
end

--- { HTML of the message, place of the pixel, what becomes of it }
local cases = {
  ["the pixel follows the message, the signature follows the pixel"] =
    { "<p>Hi</p>", "after_message", "<p>Hi</p>" .. PIXEL .. SIGNED },
  ["the pixel can stand at the end"] = { "<p>Hi</p>", "end", "<p>Hi</p>" .. SIGNED .. PIXEL },
  ["the pixel can stand at the top"] = { "<p>Hi</p>", "top", PIXEL .. "<p>Hi</p>" .. SIGNED },
  ["without a pixel the signature follows the message"] =
    { "<p>Hi</p>", nil, "<p>Hi</p>" .. SIGNED },
  ["in a whole document everything stays inside the last body"] = {
    "<html><body class=x><p></body></p></BODY></html>", "after_message",
    "<html><body class=x><p></body></p>" .. PIXEL .. SIGNED .. "</BODY></html>" },
  ["in a whole document the top is behind the first body"] = {
    "<html><BODY class=x><p>Hi</p></body></html>", "top",
    "<html><BODY class=x>" .. PIXEL .. "<p>Hi</p>" .. SIGNED .. "</body></html>" },
}

local tests = {
  ["without signature and pixel the message stands alone"] = function()
    local html, text = compose.bodies {
      format = "html", html = "<p>Hi</p>", text = "Hi", signature = "", signature_text = "",
    }
    expect.equal({ html, text }, { "<p>Hi</p>", "Hi" })
  end,

  ["the text part is signed below a dash line, and never tracked"] = function()
    local _, text = bodies("<p>Hi</p>", "after_message")
    expect.equal(text, "Hi\n\n-- \nMe")
  end,
}

for name, case in pairs(cases) do
  tests[name] = function() expect.equal(bodies(case[1], case[2]), case[3]) end
end

return tests
