local compose = require "policy.compose"
local expect = require "lib.expect"
local text = require "paraph.text"

local PIXEL = "<img>"
local SIGNED = '<br><div class="gmail_signature" data-smartmail="gmail_signature"><b>Me</b></div>'

local function html_letter(body, place)
  return compose.bodies {
    format = "html", body = body, signature = "<b>Me</b>", pixel = PIXEL, place = place,
  }
end

return {
  ["the pixel follows the message, the signature follows the pixel"] = function()
    expect.equal(html_letter("<p>Hi</p>", "after_message"), "<p>Hi</p>" .. PIXEL .. SIGNED)
  end,

  ["the pixel can stand at the end"] = function()
    expect.equal(html_letter("<p>Hi</p>", "end"), "<p>Hi</p>" .. SIGNED .. PIXEL)
  end,

  ["the pixel can stand at the top"] = function()
    expect.equal(html_letter("<p>Hi</p>", "top"), PIXEL .. "<p>Hi</p>" .. SIGNED)
  end,

  ["in a whole document everything stays inside the last body"] = function()
    expect.equal(html_letter("<html><body class=x><p></body></p></BODY></html>", "after_message"),
      "<html><body class=x><p></body></p>" .. PIXEL .. SIGNED .. "</BODY></html>")
    expect.equal(html_letter("<html><BODY class=x><p>Hi</p></body></html>", "top"),
      "<html><BODY class=x>" .. PIXEL .. "<p>Hi</p>" .. SIGNED .. "</body></html>")
  end,

  ["without signature and pixel the message stands alone"] = function()
    local html, plain = compose.bodies { format = "html", body = "<p>Hi</p>", signature = "" }
    expect.equal(html, "<p>Hi</p>")
    expect.equal(plain, text.from_html("<p>Hi</p>"))
  end,

  ["text is escaped in HTML and stays as it is in the text part"] = function()
    local html, plain =
      compose.bodies { format = "text", body = "1 < 2\n<script>", signature = "" }
    expect.lacks(html, "<script>")
    expect.holds(html, "&lt;script&gt;")
    expect.equal(plain, "1 < 2\n<script>")
  end,

  ["Markdown becomes HTML, and what it says the text part"] = function()
    local html, plain = compose.bodies { format = "markdown", body = "**Hi**", signature = "" }
    expect.holds(html, "<strong>Hi</strong>")
    expect.lacks(plain, "<strong>")
    expect.holds(plain, "Hi")
  end,

  ["the text part is signed below a dash line, and never tracked"] = function()
    local _, plain = compose.bodies {
      format = "text", body = "Hi", signature = "<b>Me</b>", pixel = PIXEL, place = "after_message",
    }
    expect.equal(plain, "Hi\n\n-- \n" .. text.from_html("<b>Me</b>"))
  end,
}
