local text = require "paraph.text"

local function raises(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "did not raise")
  assert(tostring(message):find(pattern, 1, true), tostring(message))
end

return {
  ["escape"] = function()
    assert(text.escape("<a b='\"'>&\0") == "&lt;a b=&#39;&quot;&#39;&gt;&amp;\0")
    assert(text.escape("") == "")
  end,

  ["each conversion"] = function()
    assert(text.to_html("a <b>\n\nc") == "<p>a &lt;b&gt;</p>\n<p>c</p>\n")
    assert(text.markdown_to_html("*a* <b>") == "<p><em>a</em> &lt;b&gt;</p>\n")
    assert(text.from_html("<p>a<p><b>c</b>") == "a\n\nc")
  end,

  ["what is no text is raised"] = function()
    for _, f in ipairs { text.escape, text.to_html, text.markdown_to_html, text.from_html } do
      raises("not valid UTF-8", f, "a\xFF")
      raises("bad argument", f)
      raises("bad argument", f, {})
    end
  end,

  ["what is too long is refused"] = function()
    local html, err = text.markdown_to_html(("x "):rep(100000))
    assert(html == nil and err.code == "payload_too_large", err and err.message)
    html, err = text.escape(("<"):rep(10 * 1024 * 1024))
    assert(html == nil and err.code == "payload_too_large", err and err.message)
  end,
}
