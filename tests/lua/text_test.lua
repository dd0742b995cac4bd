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

  ["a line has no control characters and no separators"] = function()
    for _, line in ipairs { "", "a", "à la carte", "\u{A0}\u{2027}\u{202A}", "\xC2", "\xE2\x80" } do
      assert(text.is_line(line), line)
    end
    for _, c in ipairs { "\0", "\t", "\n", "\r", "\x1F", "\x7F", "\u{80}", "\u{9F}", "\u{2028}",
      "\u{2029}" } do
      assert(not text.is_line(c), ("%q"):format(c))
      assert(not text.is_line("a" .. c .. "b"), ("%q"):format(c))
    end
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
