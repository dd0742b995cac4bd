local config = require "paraph.config"
local drafts = require "lib.drafts"
local expect = require "lib.expect"
local testing = require "paraph.testing"
local viewing = require "lib.viewing"
local words = require "pages.words"

local ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
local PNG = "\x89PNG\r\n\x1A\n" .. ("p"):rep(200)

local function view_of(members, contents)
  testing.world()
  local document = drafts.merged(
    { to = "Ann Lee <ann@example.com>", subject = "Grüße", body = "Hi", status = "pending" },
    members or {}, {})
  local view = assert(viewing.build(ID, document, contents or {}))
  return view, viewing.model(view, ID, words.en, false)
end

local tests = {}

tests["headers are those of the bytes, decoded"] = function()
  local _, model = view_of { cc = "Zoë <zoe@example.com>" }
  local headers = {}
  for _, header in ipairs(model.headers) do headers[header.name] = header.value end
  expect.equal({ headers.To, headers.Cc, headers.Subject },
    { "Ann Lee <ann@example.com>", "Zoë <zoe@example.com>", "Grüße" })
  expect.equal(headers["MIME-Version"], nil)
  expect.equal(#model.more_headers.rows > 2, true)
end

tests["the text is that of the text part"] = function()
  local _, model = view_of { body = "Grüße,\nAnn" }
  expect.equal(model.text:sub(1, 12), "Grüße,\nAnn")
end

tests["the pixel is told, and not in what is shown"] = function()
  local view, model = view_of { format = "html", body = "<p>Hi</p>" }
  if not config.tracking then return end
  expect.equal(model.pixel.id, view.pixel_id)
  expect.equal(view.read.html:text():find(view.pixel_id, 1, true) ~= nil, true)
  expect.equal(viewing.html(view):find(view.pixel_id, 1, true), nil)
  expect.equal(model.remote_images, false)
end

tests["an image of the message stands in its HTML"] = function()
  local view, model = view_of({ format = "html", body = '<img src="cid:logo">',
    attachments = { { content_id = "<logo>", content_type = "image/png", size = #PNG } } },
    { testing.blob(PNG) })
  expect.equal(viewing.html(view):find("cid:logo", 1, true), nil)
  expect.equal(viewing.html(view):find('src="data:image/png;base64,iVBORw0K', 1, true) ~= nil, true)
  expect.equal({ model.attachments[1].is_inline, model.attachments[1].size }, { true, "208 B" })
end

tests["an image is named by all of its Content-ID, and where images are named"] = function()
  local contents, attachments, urls = { PNG, PNG .. "10" }, {}, {}
  for i, id in ipairs { "img1", "img10" } do
    attachments[i] = { content_id = id, content_type = "image/png", size = #contents[i] }
    contents[i] = testing.blob(contents[i])
    urls["$" .. id] = "data:image/png;base64," .. contents[i]:base64_encode():string(1000)
  end
  local view = view_of({ format = "html", tracking = false, attachments = attachments, body =
    "<img src=cid:img1 alt=cid:img1><p style='background: url(&quot;cid:img10&quot;)'>\"cid:img1\""
    .. "<style>p{background:url(cid:img10)}</style>" }, contents)
  expect.holds(viewing.html(view), (('<img src="$img1" alt=cid:img1>'
    .. '<p style="background: url(&quot;$img10&quot;)">"cid:img1"'
    .. "<style>p{background:url($img10)}</style>"):gsub("$img10?", urls)))
end

tests["images from elsewhere have their addresses when they are asked for"] = function()
  local view, model = view_of { format = "html", tracking = false, body =
    '<p>A <IMG alt="x" SRC = "https://a.example/1.png"> <img srcset=//a.example/2.png src="3.png">'
    .. '<img src="data:image/png;base64,AAAA"> <img title="no end"' }
  expect.equal(model.remote_images, 2)
  local html = viewing.html(view)
  expect.holds(html, '<IMG alt="x" data-SRC = "https://a.example/1.png">')
  expect.holds(html, '<img data-srcset=//a.example/2.png data-src="3.png">')
  expect.holds(html, '<img src="data:image/png;base64,AAAA">')
  expect.equal(html:gsub("data%-([sS][rR][cC])", "%1"), viewing.html(view, true))
end

tests["a letter of tags without an end is shown like any other"] = function()
  local _, model = view_of { format = "html", tracking = false, body = ("<img "):rep(100000) }
  expect.equal(model.remote_images, false)
end

tests["a tag may have any number of attributes"] = function()
  local _, model = view_of { format = "html", tracking = false,
    body = "<img " .. ("src=//a "):rep(50000) .. ("x "):rep(220000) .. ">" }
  expect.equal(model.remote_images, 1)
end

tests["what is attached comes out as it went in"] = function()
  local content = ("\0\r\n--x"):rep(40000)
  local view, model = view_of({ attachments = {
    { filename = "Übersicht.bin", content_type = "application/x-y", size = #content },
    { filename = "empty.txt", content_type = "text/plain", size = 0 },
  } }, { testing.blob(content), testing.blob("") })
  local first = model.attachments[1]
  expect.equal({ first.name, first.size }, { "Übersicht.bin", "240 KB" })
  local n = tonumber(model.attachments[1].href:match("(%d+)$"))
  expect.equal(view.read.parts[n]:content():string() == content, true)
  expect.equal(view.read.parts[n + 1]:size(), 0)
end

tests["the name of what is attached is that which was given"] = testing.cases({
  { 'the "new\\" one;.txt' }, { "a; filename*=UTF-8''b.pdf" }, { ("x"):rep(200) .. ".pdf" },
  { ("Übersicht "):rep(20) .. ".pdf" }, { "100%41.pdf" },
}, function(case)
  local _, model = view_of({ attachments = {
    { filename = case[1], content_type = "application/x-y", size = 0 },
  } }, { testing.blob("") })
  expect.equal(model.attachments[1].name, case[1])
end)

tests["the size of what is attached is known without decoding it"] = function()
  local attachments, contents = {}, {}
  for i, size in ipairs { 1, 2, 3, 56, 57, 58, 113, 114, 115, 5700, 5701 } do
    attachments[i] = { filename = i .. ".bin", content_type = "application/x-y", size = size }
    contents[i] = testing.blob(("\xFF"):rep(size))
  end
  local view = view_of({ attachments = attachments }, contents)
  for _, part in ipairs(view.read.parts) do
    if part.is_attached then expect.equal(part:size(), #part:content()) end
  end
end

--- { HTML, images from elsewhere }
local images = {
  { '<img src="https://x.example/a.png">', 1 },
  { "<IMG alt=x SRC = '//x.example/a'><td background=http://x.example/b>", 2 },
  { '<p style="background:url( \'https://x.example/c\')">', 1 },
  { '<p style="background:URL(&quot;https://x.example/c&quot;)">', 1 },
  { "<style>p{background:url(//x.example/a)}</style><style>@media all{}", 1 },
  { '<img alt="1 > 0" src="https://x.example/a">', 1 },
  { '<img/src="https://x.example/a"><img alt="x"src="https://x.example/b">', 2 },
  { '<img src="&#104;ttps://x.example/a"><img src="\nht\ntps://x.example/b">', 2 },
  { '<img srcset="a.png, https://x.example/b.png 2x" src="https://x.example/a.png">', 1 },
  { '<picture><source srcset="https://x.example/a"><img src="https://x.example/b"></picture>', 2 },
  { '<video poster="https://x.example/a" src="https://x.example/b"></video>', 1 },
  { '<input type=image src="https://x.example/a">', 1 },
  { '<svg><image href="https://x.example/a"/><image xlink:href="//x.example/b"/></svg>', 2 },
  { '<!-- <img src="https://x.example/a"> --><script src="https://x.example/b"></script>', false },
  { '<img src="data:image/png;base64,AA=="><img src="cid:a">', false },
  { "<p>https://x.example/a.png</p>", false },
}

tests["images from elsewhere are counted"] = testing.cases(images, function(case)
  local _, model = view_of { format = "html", body = case[1] }
  expect.equal(model.remote_images, case[2])
end)

tests["links are told, with those that lie"] = function()
  local _, model = view_of { format = "html",
    body = '<a href="https://a.example/x">Go</a> <a href="https://evil.example">a.example</a>' }
  expect.equal({ model.links[1].target, model.links[1].differs, model.links[2].differs },
    { "https://a.example/x", false, true })
end

tests["names, links and headers are in the order in which they are written"] = function()
  local _, model = view_of({ subject = "\u{2067}a\u{2069}", format = "html",
    body = '<a href="https://evil.example/?\u{202D}x">You \u{202E}</a>',
    attachments = { { filename = "a\u{202E}fdp.exe", content_type = "a/b", size = 0 } } },
    { testing.blob("") })
  local link = model.links[1]
  expect.equal({ link.text, link.target, model.attachments[1].name },
    { "You �", "https://evil.example/?�x", "a�fdp.exe" })
  for _, header in ipairs(model.headers) do
    if header.name == "Subject" then expect.equal(header.value, "�a�") end
  end
end

tests["of many links those that lie are told, and how many others there are"] = function()
  local _, model = view_of { format = "html",
    body = ('<a href="https://a.example">Go</a> '):rep(250)
      .. '<a href="https://evil.example">a.example</a>' }
  expect.equal({ #model.links, model.links[201].differs, model.more_links },
    { 201, true, "and 50 more" })
end

return tests
