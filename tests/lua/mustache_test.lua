--- What the specification leaves open: errors and their positions, hostile values, limits, and the
--- types of values.

local json = require "paraph.json"
local mustache = require "lib.mustache"

local function finder(sources)
  return function(name)
    local source = sources[name]
    if source == nil then return nil, "there is no such template" end
    return assert(mustache.compile(source, name))
  end
end

local function render(source, context, sources)
  return assert(mustache.compile(source, "t")):render(context or {}, finder(sources or {}))
end

local function same(got, expected, what)
  if got ~= expected then
    error(("%sexpected %q, got %q"):format(what and what .. ": " or "", expected, got), 2)
  end
end

local function refused(source, expected)
  local template, message = mustache.compile(source, "mail/t.mustache")
  assert(template == nil, "compiled: " .. source)
  same(message, "mail/t.mustache:" .. expected, source)
  same(mustache.check(source, "mail/t.mustache"), message, "checked: " .. source)
end

local function fails(expected, ...)
  local ok, message = pcall(render, ...)
  assert(not ok, "rendered: " .. tostring(message))
  same(tostring(message), expected)
end

local tests = {}

tests["what is not closed is named with its line"] = function()
  refused("a\nb\n{{#items}}\nc\n", "3: section 'items' is not closed")
  refused("{{^items}}", "1: section 'items' is not closed")
  refused("\n{{<layout}}{{$a}}{{/a}}", "2: parent 'layout' is not closed")
  refused("\n{{$title}}", "2: block 'title' is not closed")
  refused("{{#a}}\n{{#b}}\n{{/b}}", "1: section 'a' is not closed")
end

tests["a close that does not match names both lines"] = function()
  refused("a\n{{/b}}", "2: {{/b}} closes nothing")
  refused("{{#a}}\n{{/b}}", "2: {{/b}} where section 'a' of line 1 is open")
  refused("{{#a}}\n{{$b}}\n{{/a}}\n{{/b}}", "3: {{/a}} where block 'b' of line 2 is open")
  refused("{{<*a}}{{/a}}", "1: {{/a}} where parent '*a' of line 1 is open")
end

tests["unclosed tags"] = function()
  refused("x\n{{name", "2: the tag '{{name' is not closed")
  refused("x\n{{name}\n{{other}}", "2: the tag '{{name}' is not closed")
  refused("{{{name}}", "1: the tag '{{{name}}' is not closed")
  refused("{{! a comment\n}", "1: the tag '{{! a comment' is not closed")
  refused("{{=<% %>", "1: the tag '{{=<% %>' is not closed")
  refused("{{=<% %>=}}\n<%name}}", "2: the tag '<%name}}' is not closed")
  refused("{{", "1: the tag '{{' is not closed")
  local long = ("ü"):rep(30)
  refused("{{" .. long, "1: the tag '{{" .. ("ü"):rep(18) .. "…' is not closed")
end

tests["bad delimiters"] = function()
  for _, content in ipairs { "<%", "<% %> x", "", "<= =>", "<%%>" } do
    refused("\n{{=" .. content .. "=}}", "2: '" .. content .. "' are not two delimiters")
  end
end

tests["bad names"] = function()
  refused("{{}}", "1: a tag has no name")
  refused("{{# }}", "1: a tag has no name")
  refused("{{>*}}", "1: a tag has no name")
  refused("{{a b}}", "1: 'a b' is not a name")
  refused("{{a\n b}}", "1: 'a b' is not a name")
  for _, name in ipairs { "a..b", ".a", "a.", ".." } do
    refused("{{" .. name .. "}}", "1: '" .. name .. "' is not a name")
    refused("{{#" .. name .. "}}{{/" .. name .. "}}", "1: '" .. name .. "' is not a name")
    refused("{{>*" .. name .. "}}", "1: '*" .. name .. "' is not a name")
  end
end

tests["nesting is bounded"] = function()
  local function nested(n) return ("{{#a}}"):rep(n) .. "x" .. ("{{/a}}"):rep(n) end
  same(render(nested(100), { a = true }), "x")
  refused("\n" .. nested(101), "2: nested deeper than 100")
end

tests["lines are counted alike for LF and CRLF, and through tags of several lines"] = function()
  for _, eol in ipairs { "\n", "\r\n" } do
    local source = "{{! one\ntwo }}\n{{\nname\n}}\n{{#a}}\n  {{=| |=}}\n|/a|\n|#b|\n"
    refused(source:gsub("\n", eol), "9: section 'b' is not closed")
    fails("t:3: 'x' is a table, not text", ("a\n{{#s}}\n{{x}}{{/s}}"):gsub("\n", eol), {
      s = true, x = {},
    })
  end
end

tests["CRLF templates keep their line ends and standalone tags take theirs"] = function()
  local source = "a\r\n{{#s}}\r\n  b\r\n{{/s}}\r\n{{! c }}\r\n{{>p}}\r\nd\r\n"
  same(render(source, { s = true }, { p = "1\r\n\r\n2\r\n" }), "a\r\n  b\r\n1\r\n\r\n2\r\nd\r\n")
  local child = "{{<l}}\r\n{{$b}}\r\n    x\r\n    y\r\n{{/b}}\r\n{{/l}}\r\n"
  same(render(child, {}, { l = "<\r\n  {{$b}}\r\n  {{/b}}\r\n  {{$c}}c{{/c}}\r\n>\r\n" }),
    "<\r\n  x\r\n  y\r\n  c\r\n>\r\n")
end

tests["all five characters are escaped, and only where it is asked for"] = function()
  local context = { x = "<a href=\"x\">&amp;'</a>" }
  same(render("{{x}}", context), "&lt;a href=&quot;x&quot;&gt;&amp;amp;&#39;&lt;/a&gt;")
  same(render("{{{x}}}|{{&x}}|{{& x }}", context), ("%s|%s|%s"):format(context.x, context.x,
    context.x))
  same(render("{{=<% %>=}}<%{x}%>|<%&x%>", context), context.x .. "|" .. context.x)
  same(render("{{#x}}{{.}}{{/x}}", { x = "<" }), "&lt;")
end

tests["values are never read as templates"] = function()
  local hostile = "{{#a}}{{secret}}{{>p}}{{=<% %>=}}{{/x}}"
  local context = { x = hostile, a = true, secret = "s3cret", list = { hostile } }
  local sources = { p = "[{{{x}}}]", l = "{{$b}}{{/b}}" }
  same(render("{{{x}}}", context, sources), hostile)
  same(render("{{x}}", context, sources), hostile:gsub("[<>]", { ["<"] = "&lt;", [">"] = "&gt;" }))
  same(render("{{>p}}", context, sources), "[" .. hostile .. "]")
  same(render("{{#list}}{{{.}}}{{/list}}", context, sources), hostile)
  same(render("{{<l}}{{$b}}{{{x}}}{{/b}}{{/l}}", context, sources), hostile)
  same(render("{{{x}}}{{{y}}}", { x = "{{", y = "secret}}", secret = "s" }), "{{secret}}")
  same(render("{{{x}}}", { x = "%1%0%%\0" }), "%1%0%%\0")
end

tests["strings have no members"] = function()
  same(render("[{{x.len}}{{#x}}{{len}}{{upper}}{{/x}}]", { x = "abc" }), "[]")
end

tests["values print as people write them"] = function()
  local cases = {
    { 42, "42" }, { -7, "-7" }, { 0, "0" }, { math.maxinteger, "9223372036854775807" },
    { 1.5, "1.5" }, { 2.50, "2.5" }, { 3.0, "3" }, { 1e100, "1e+100" }, { 0.1, "0.1" },
    { true, "true" }, { false, "false" }, { json.null, "" }, { "", "" }, { "x", "x" },
  }
  for _, case in ipairs(cases) do
    same(render("{{x}}", { x = case[1] }), case[2])
    same(render("{{{x}}}", { x = case[1] }), case[2])
    same(render("{{a.x}}", { a = { x = case[1] } }), case[2])
  end
  same(render("[{{missing}}{{{missing}}}{{missing.too}}]"), "[]")
end

tests["what cannot be printed is an error"] = function()
  fails("t:2: 'x' is a table, not text", "\n{{x}}", { x = {} })
  fails("t:1: 'x' is a table, not text", "{{{x}}}", { x = { 1 } })
  fails("t:1: '.' is a table, not text", "{{.}}")
end

tests["functions are not values"] = function()
  local context = { f = function() return "x" end, a = { f = print } }
  fails("t:1: 'f': functions are not values in templates", "{{f}}", context)
  fails("t:1: 'a.f': functions are not values in templates", "{{{a.f}}}", context)
  fails("t:2: 'f': functions are not values in templates", "\n{{#f}}{{/f}}", context)
  fails("t:1: 'f': functions are not values in templates", "{{^f}}{{/f}}", context)
  fails("t:1: '*f': functions are not values in templates", "{{>*f}}", context)
end

tests["what a section takes for absent"] = function()
  local absent = { false, json.null, "", {}, json.empty_array, json.decode("[]") }
  for i = 1, #absent do
    same(render("{{#x}}yes{{/x}}{{^x}}no{{/x}}", { x = absent[i] }), "no", "absent " .. i)
  end
  local present = { true, 0, "0", " ", { a = 1 }, { false } }
  for i = 1, #present do
    same(render("{{#x}}yes{{/x}}{{^x}}no{{/x}}", { x = present[i] }), "yes", "present " .. i)
  end
  same(render("{{#x}}<{{.}}>{{/x}}", { x = json.decode("[null, 1, false, \"\", 2]") }),
    "<><1><false><><2>")
end

tests["false and null hide what is outside"] = function()
  same(render("{{#a}}[{{x}}|{{y}}]{{/a}}", { x = 1, y = 1, a = { x = false, y = json.null } }),
    "[false|]")
end

tests["unknown partials name their tag"] = function()
  fails("t:2: {{>no}}: there is no such template", "\n{{>no}}")
  fails("t:1: {{<no}}: there is no such template", "{{<no}}{{/no}}")
  fails("t:1: {{>*x}}: there is no such template", "{{> * x }}", { x = "no" })
  fails("t:1: {{<*x}}: there is no such template", "{{<*x}}{{/*x}}", { x = "no" })
  fails("p:3: {{>no}}: there is no such template", "{{>p}}", {}, { p = "\n\n{{>no}}" })
end

tests["dynamic names are text, or missing"] = function()
  local sources = { p = "P", ["5"] = "five" }
  same(render("[{{>*x}}]", { x = "p" }, sources), "[P]")
  same(render("[{{>*x}}{{<*y}}{{/*y}}]", { y = json.null }, sources), "[]")
  for _, value in ipairs { 5, true, { "p" } } do
    fails("t:1: {{>*x}}: 'x' is not a name", "{{>*x}}", { x = value }, sources)
  end
end

tests["recursion is bounded"] = function()
  fails("p:2: {{>p}}: templates are nested deeper than 32", "{{>p}}", {}, { p = "x\n{{>p}}" })
  fails("p:1: {{<p}}: templates are nested deeper than 32", "{{<p}}{{/p}}", {}, {
    p = "{{<p}}{{/p}}",
  })
  fails("b:1: {{>a}}: templates are nested deeper than 32", "{{>a}}", {}, {
    a = "{{<b}}{{$x}}{{/x}}{{/b}}", b = "{{>a}}",
  })
  fails("p:1: {{>*p}}: templates are nested deeper than 32", "{{>*p}}", { p = "p" }, {
    p = "{{>*p}}",
  })
  fails("l:1: {{>t}}: templates are nested deeper than 32", "{{>t}}", {}, {
    t = "{{<l}}{{$b}}{{/b}}{{/l}}", l = "{{$b}}{{/b}}{{>t}}",
  })
end

tests["recursion that ends is fine"] = function()
  local tree, depth = {}, 31
  for _ = 1, depth do tree = { child = tree } end
  tree.child.child.last = true
  same(render("{{>p}}", { child = tree }, { p = "({{#child}}{{>p}}{{/child}})" }),
    ("("):rep(depth + 1) .. (")"):rep(depth + 1))
end

tests["a block inside its own argument is another block"] = function()
  local sources = { l = "[{{$b}}{{/b}}]" }
  same(render("{{<l}}{{$b}}1{{$b}}2{{/b}}3{{/b}}{{/l}}", {}, sources), "[123]")
  same(render("{{<l}}{{$b}}1{{>l}}2{{/b}}{{/l}}", {}, sources), "[1[]2]")
end

tests["the output is bounded"] = function()
  local list = {}
  for i = 1, 1000 do list[i] = 1 end
  fails("t:2: the output is larger than 8388608 bytes",
    "{{#list}}{{#list}}\n{{x}}{{/list}}{{/list}}", { list = list, x = ("x"):rep(100) })
end

-- A piece costs more than its bytes, so that many tiny ones are bounded as well.
tests["the output is bounded also when it comes in tiny pieces"] = function()
  local list = {}
  for i = 1, 710 do list[i] = 1 end
  local source = "{{#list}}{{#list}}{{{x}}}{{/list}}{{/list}}"
  fails("t:1: the output is larger than 8388608 bytes", source, { list = list, x = "y" })
  list[101] = nil
  same(#render(source, { list = table.move(list, 1, 100, 1, {}), x = "" }), 0)
end

tests["delimiters hold for their own template alone"] = function()
  same(render("{{=| |=}}|>p||x|{{x}}", { x = 1 }, { p = "{{x}}|x|" }), "1|x|1{{x}}")
  same(render("{{=<% %>=}}<%={{ }}=%>{{x}}", { x = 1 }), "1")
  same(render("{{={{ }}=}}{{x}}", { x = 1 }), "1")
  same(render("{{=%a. $]=}}%a.x$]", { x = 1 }), "1")
end

tests["an indented partial indents its lines, not its values"] = function()
  same(render("  {{>p}}\n", { x = "1\n2", l = { 1, 2 } }, {
    p = "a\n\n{{{x}}}\n{{#l}}\n{{.}}\n{{/l}}\n  {{>q}}\n", q = "q{{! c }}\n{{! c }}r",
  }), "  a\n\n  1\n2\n  1\n  2\n    q\n    r")
end

tests["what is included within a line is not indented"] = function()
  local sources = {
    p = "{{>q}}{{x}}\n{{<l}}\n{{$b}}\n1\n2\n{{/b}}\n{{/l}}!\n", q = "a\nb\n",
    l = "[{{$b}}{{/b}}]\n",
  }
  same(render("  {{>p}}\n", { x = "x" }, sources), "  a\nb\nx\n  [1\n2\n]\n!\n")
end

tests["a block on lines of its own is filled by whole lines"] = function()
  local layout = "<\n  {{$b}}\n  default\n  {{/b}}\n>\n"
  same(render("{{>l}}", {}, { l = layout }), "<\n  default\n>\n")
  same(render("{{<l}}{{$b}}x{{/b}}{{/l}}", {}, { l = layout }), "<\n  x\n>\n")
  same(render("{{<l}}\n{{$b}}\nx\n  y\n{{/b}}\n{{/l}}", {}, { l = layout }), "<\n  x\n    y\n>\n")
  same(render("{{<l}}\n  {{$b}}\n    {{#s}}\n    x\n    {{/s}}\n  {{/b}}\n{{/l}}\n", { s = true }, {
    l = layout,
  }), "<\n  x\n>\n")
end

tests["a template tells which names it uses"] = function()
  local template = assert(mustache.compile(
    "{{a}}{{{b.c}}}{{#d}}{{.}}{{^e}}{{/e}}{{/d}}{{>p}}{{>*f}}{{<l}}{{$g}}{{h}}{{/g}}{{/l}}", "t"))
  local function names(set)
    local list = {}
    for name in pairs(set) do list[#list + 1] = name end
    table.sort(list)
    return table.concat(list, " ")
  end
  same(names(template.variables), "a b.c d e f h")
  same(names(template.partials), "l p")
end

tests["a template can be rendered again, also after an error"] = function()
  local template = assert(mustache.compile("{{#l}}{{x}}{{/l}}", "t"))
  same(template:render({ l = { { x = 1 }, { x = 2 } } }), "12")
  assert(not pcall(template.render, template, { l = { { x = 1 }, { x = {} } } }))
  same(template:render({ l = { { x = 3 } }, x = 4 }), "3")
  same(template:render(nil), "")
end

return tests
