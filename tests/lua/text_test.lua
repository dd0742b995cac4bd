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

  ["tags as a browser reads them"] = function()
    local html = "<!-- <b> --><P Title='a > b'x id=1 HREF=\"&#104;?a&amp;b\"id=2>x"
      .. "<style>a{}<b></style><br/></p"
    local names, p = {}, nil
    for tag in text.tags(html .. "><i", { title = true, href = true, id = true }) do
      names[#names + 1] = tag.name
      p = tag.name == "p" and tag or p
    end
    assert(table.concat(names, " ") == "p style /style br /p", table.concat(names, " "))
    assert(html:sub(p.first, p.last):find("^<P .*2>$"))
    local written = {}
    for i, one in ipairs(p.attributes) do
      assert(p.attributes[one.name] == one)
      written[i] = one.name .. ": " .. one.value .. ": " .. html:sub(one.first, one.last)
    end
    assert(table.concat(written, "\n") == "title: a > b: Title='a > b'\nid: 1: id=1\n"
      .. "href: h?a&b: HREF=\"&#104;?a&amp;b\"", table.concat(written, "\n"))
  end,

  ["a NUL in a name ends it for nobody"] = function()
    local html = "<a\0" .. ("b"):rep(5000) .. ">"
    assert(text.tags(html, {}, "a")() == nil)
    assert(#text.tags(html, {})().name == 5002)
  end,

  ["names of attributes may come from another module"] = function()
    local tag = text.tags('<a cancel="x">', require("pages.words").en, "a")()
    assert(tag.attributes.cancel.value == "x")
  end,

  ["tags of one name"] = function()
    local places = {}
    local html = "<abbr><A href><b></A ><a/>"
    for tag in text.tags(html, {}, "a") do
      places[#places + 1] = html:sub(tag.first, tag.last)
      assert(next(tag.attributes) == nil)
    end
    assert(table.concat(places) == "<A href></A ><a/>", table.concat(places))
    local next_tag = text.tags("<p", {})
    assert(next_tag() == nil and next_tag() == nil)
  end,

  ["what is no text is raised"] = function()
    local function tags(html) return text.tags(html, {}) end
    for _, f in ipairs { text.escape, text.to_html, text.markdown_to_html, text.from_html, tags } do
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
