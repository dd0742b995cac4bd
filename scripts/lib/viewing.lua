--- A message as a reviewer sees it: read from the very bytes that leave, shown in the words of a
--- language.

local config = require "paraph.config"
local drafts = require "lib.drafts"
local hooks = require "lib.hooks"
local links = require "lib.links"
local message = require "lib.message"
local mime = require "lib.mime"
local shown = require "lib.shown"

local viewing = {}

local LINKS_MAX = 200
local INLINE_MAX = 4 << 20 -- bytes of images that are written into the HTML

--- The headers that mail programs show.
local READ = { from = true, to = true, cc = true, bcc = true, ["reply-to"] = true, subject = true,
  date = true }

---@class view
---@field etag string
---@field read mime_message
---@field html? string      the HTML part, as it leaves
---@field pixel? string     as it stands in it
---@field pixel_id? string

--- The message of a draft.
---@async
---@param draft draft
---@return view?
---@return paraph.err? err
function viewing.open(draft)
  local contents, err = drafts.contents(draft)
  if not contents then return nil, err end
  return viewing.build(draft.id, draft.document, contents)
end

--- The same of a document that is not stored.
---@async
---@param id string
---@param document paraph.document
---@param contents paraph.blob[]
---@return view?
---@return paraph.err? err
function viewing.build(id, document, contents)
  local built, pixel_id = message.build(id, document, contents)
  if not built then return nil, pixel_id end
  local read = mime.read(built:bytes())
  local pixel = pixel_id and config.pixel_base_url and hooks.pixel(pixel_id)
  return {
    etag = built:etag(), read = read, html = read.html and read.html:text(),
    pixel = pixel and pixel ~= "" and pixel or nil, pixel_id = pixel_id,
  }
end

-- --- HTML ----------------------------------------------------------------------------------------

--- The HTML part without its pixel.
local function untracked(view)
  local html = view.html or ""
  if not view.pixel then return html end
  local from, to = html:find(view.pixel, 1, true)
  return from and html:sub(1, from - 1) .. html:sub(to + 1) or html
end

--- Images that are parts of the message, where the HTML names them by their Content-ID. Browsers
--- know no cid:, and what they load from us they would load as a stranger.
local function with_images(html, parts)
  local left = INLINE_MAX
  for _, part in ipairs(parts) do
    local image = part.content_id and part.type:find("^image/[%w.+-]+$") and part:content()
    if image and type(image) ~= "string" and #image <= left then
      local data = ("data:%s;base64,%s")
        :format(part.type, image:base64_encode():string(2 * INLINE_MAX))
      local from, to = html:find("cid:" .. part.content_id, 1, true)
      while from do
        html = html:sub(1, from - 1) .. data .. html:sub(to + 1)
        left = left - #image
        from, to = html:find("cid:" .. part.content_id, from + #data, true)
      end
    end
  end
  return html
end

--- HTML with another text in place of each <img …>. Without patterns that look for an end which may
--- not be there again and again.
---@param html string
---@param change fun(tag: string): string
local function with_tags(html, change)
  local pieces, from = {}, 1
  repeat
    local first = html:find("<[iI][mM][gG]%s", from)
    local last = first and html:find(">", first, true)
    if last then
      pieces[#pieces + 1] = html:sub(from, first - 1)
      pieces[#pieces + 1] = change(html:sub(first, last))
      from = last + 1
    end
  until not last
  pieces[#pieces + 1] = html:sub(from)
  return table.concat(pieces)
end

--- Without the addresses of images that are not in it. The policy of its page refuses them in any
--- case (page.foreign), but the browser would complain of each.
local function without_remote(html)
  return with_tags(html, function(tag)
    return (tag:gsub("(%s)([sS][rR][cC][sS]?[eE]?[tT]?%s*=%s*[\"']?%s*)(%a*)",
      function(space, name, scheme)
        if scheme:lower() ~= "data" then return space .. "data-" .. name .. scheme end
      end))
  end)
end

--- The HTML part, as it can be shown: without its pixel, and with the images that are in it.
---@param view view
---@param with_remote? boolean   with images from elsewhere
---@return string
function viewing.html(view, with_remote)
  local html = with_images(untracked(view), view.read.parts)
  return with_remote and html or without_remote(html)
end

--- Where the address of an image begins, in a tag and elsewhere.
local IN_TAG = "%ssrc%s*=%s*[\"']?%s*(%S%S)"
local ELSEWHERE = { "%sbackground%s*=%s*[\"']?(%S%S)", "url%s*%(%s*[\"']?(%S%S)" }

--- How many images the HTML part loads from elsewhere, its pixel aside.
local function count_remote(view)
  local html, n = untracked(view):lower(), 0
  local function count(text, pattern)
    for start in text:gmatch(pattern) do
      if start == "//" or start == "ht" then n = n + 1 end
    end
  end
  with_tags(html, function(tag)
    count(tag, IN_TAG)
    return tag
  end)
  for _, pattern in ipairs(ELSEWHERE) do count(html, pattern) end
  return n > 0 and n
end

local function links_of(view)
  local found = {}
  for target, text in links.of(view.html or "") do
    if #found == LINKS_MAX then break end
    found[#found + 1] =
      { text = text, target = target, differs = links.differs(target, text) ~= nil }
  end
  return found
end

-- --- the model -----------------------------------------------------------------------------------

--- The headers that people read, and the others.
local function headers_of(view)
  local read, others = {}, {}
  for _, field in ipairs(view.read.fields) do
    local list = READ[field.name:lower()] and read or others
    list[#list + 1] = field
  end
  return read, others
end

local function attachments_of(view, id, t)
  local list = {}
  for n, part in ipairs(view.read.parts) do
    if part ~= view.read.html and part ~= view.read.plain then
      list[#list + 1] = {
        name = part.filename or part.content_id or t.unnamed, type = part.type,
        size = shown.size(part:size(), t), href = ("/review/%s/part/%d"):format(id, n),
        is_inline = part.content_id ~= nil,
      }
    end
  end
  return list
end

--- What the templates show of a message.
---@param view view
---@param id string
---@param t table<string, string>
---@param with_remote boolean   images from elsewhere were asked for
---@return table
function viewing.model(view, id, t, with_remote)
  local html_src = ("/review/%s/html"):format(id)
  local html = view.html
  local headers, others = headers_of(view)
  local attachments, links_found = attachments_of(view, id, t), links_of(view)
  return {
    etag = view.etag,
    headers = headers, more_headers = { rows = others },
    has_html = html ~= nil,
    html_src = with_remote and html_src .. "?images=1" or html_src,
    remote_images = count_remote(view),
    images_href = not with_remote and ("/review/%s?images=1"):format(id) or nil,
    hide_images_href = with_remote and "/review/" .. id or nil,
    text = view.read.plain and view.read.plain:text(),
    attachments = attachments, has_attachments = #attachments > 0,
    pixel = view.pixel and { id = view.pixel_id, note = t.pixel_note } or nil,
    signature = html ~= nil and html:find('class="gmail_signature"', 1, true) ~= nil,
    links = links_found, has_links = #links_found > 0,
  }
end

return viewing
