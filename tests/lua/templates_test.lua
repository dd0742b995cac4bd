--- The cache, the names that lead to templates, and the mails that are shipped.

local templates = require "lib.templates"

local function over(files)
  local reads = {}
  local made = templates.over(function(file)
    reads[#reads + 1] = file
    return files[file]
  end)
  return made, reads
end

local function same(got, expected)
  if got ~= expected then error(("expected %q, got %q"):format(expected, got), 2) end
end

local function fails(expected, ...)
  local ok, message = pcall(...)
  assert(not ok, "no error")
  same(tostring(message), expected)
end

local function holds(s, part)
  if not s:find(part, 1, true) then error(("no %q in %q"):format(part, s), 2) end
end

local tests = {}

tests["a source is read and compiled once"] = function()
  local made, reads = over { ["a.mustache"] = "{{>b}}{{>b}}", ["b.mustache"] = "{{x}}" }
  same(made.render("a", { x = 1 }), "11")
  same(made.render("a", { x = 2 }), "22")
  same(table.concat(reads, " "), "a.mustache b.mustache")
  assert(made.load("a") == made.load("a"))
end

tests["names in tags are below the templates directory, wherever the tag stands"] = function()
  local made = over {
    ["mail/a.mustache"] = "{{<mail/l}}{{$x}}1{{/x}}{{/mail/l}}",
    ["mail/l.mustache"] = "<{{$x}}{{/x}}{{>parts/p-1_.x}}>", ["parts/p-1_.x.mustache"] = "p",
  }
  same(made.render("mail/a"), "<1p>")
end

tests["names cannot leave the directory"] = function()
  local bad = {
    "../x", "a/../x", "/x", "..", ".", "", ".x", "a..b", "x\0", "a b", "a\\b", "a%b", "é", "a\n",
    "{{x}}", ("a"):rep(201),
  }
  local made, reads = over { ["t.mustache"] = "{{#n}}\n{{>*n}}{{/n}}" }
  for _, name in ipairs(bad) do
    assert(made.load(name) == nil, name)
    local html, err = made.render_mail("../" .. name)
    assert(html == nil and err.code == "invalid_field")
    if name ~= "" then
      fails("t.mustache:2: {{>*n}}: there is no such template", made.render, "t", { n = name })
    end
  end
  same(table.concat(reads, " "), "t.mustache")
end

tests["unknown names are refused, and not remembered"] = function()
  local files = {}
  local made = over(files)
  fails("template 'x': there is no such template", made.render, "x")
  files["x.mustache"] = "x"
  same(made.render("x"), "x")
end

tests["an unknown mail template is the caller's error"] = function()
  local made = over { ["pages/x.mustache"] = "" }
  for _, name in ipairs { "x", "pages/x", "../pages/x", "", "/", "layout " } do
    local html, err = made.render_mail(name, {})
    same(html, nil)
    same(err.code, "invalid_field")
    same(err.field, "template")
    holds(err.message, "template: ")
  end
end

tests["a broken mail template is ours"] = function()
  local made = over {
    ["mail/a.mustache"] = "\n{{#x}}", ["mail/b.mustache"] = "{{>mail/a}}",
    ["mail/c.mustache"] = "{{>no}}",
  }
  local template, message = made.load("mail/a")
  assert(template == nil)
  same(message, "mail/a.mustache:2: section 'x' is not closed")
  fails("template 'mail/a': mail/a.mustache:2: section 'x' is not closed", made.render_mail, "a")
  fails("mail/b.mustache:1: {{>mail/a}}: mail/a.mustache:2: section 'x' is not closed",
    made.render_mail, "b")
  fails("mail/c.mustache:1: {{>no}}: there is no such template", made.render_mail, "c")
end

tests["values that a template cannot print are the caller's fault"] = function()
  local made = over { ["mail/a.mustache"] = "Dear {{name}},\n{{{items}}}" }
  for _, vars in ipairs { { name = { "x" } }, { name = "Ann", items = { a = 1 } } } do
    local html, err = made.render_mail("a", vars)
    same(html, nil)
    same(err.code, "invalid_field")
    same(err.field, "vars")
    holds(err.message, "vars: mail/a.mustache:")
  end
end

tests["the shipped layout has its blocks and nothing more"] = function()
  local layout = templates.render("mail/layout")
  assert(not layout:find("{{", 1, true) and not layout:find("<html", 1, true))
  assert(not layout:find("<style", 1, true) and not layout:find("<script", 1, true))
end

tests["welcome"] = function()
  local html = assert(templates.render_mail("welcome", {
    name = "Ada <script>", product = "Paper & Ink", url = "https://example.com/?a=1&b=\"2\"",
    support = "help@example.com",
  }))
  holds(html, "Welcome to Paper &amp; Ink, Ada &lt;script&gt;")
  holds(html, "href=\"https://example.com/?a=1&amp;b=&quot;2&quot;\"")
  holds(html, "mailto:help@example.com")
  local bare = assert(templates.render_mail("welcome", { product = "Paper" }))
  holds(bare, "Welcome to Paper\n")
  assert(not bare:find("href", 1, true))
end

tests["reminder"] = function()
  local html = assert(templates.render_mail("reminder", {
    name = "Ada",
    items = {
      { label = "Report", due = "2026-03-01", url = "https://example.com/r" },
      { label = "Slides", due = "2026-03-02" },
    },
  }))
  holds(html, "Hello Ada,")
  holds(html, "Report (2026-03-01). Slides (2026-03-02).")
  holds(html, "<a href=\"https://example.com/r\">Report</a>")
  holds(html, "Slides<br>")
  assert(not html:find("nothing waiting", 1, true))
  holds(assert(templates.render_mail("reminder")), "nothing waiting")
end

return tests
