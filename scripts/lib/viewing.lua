--- A message as a reviewer sees it: read from the very bytes that leave, shown in the words of a
--- language.

local config = require "paraph.config"
local drafts = require "lib.drafts"
local hooks = require "lib.hooks"
local images = require "lib.images"
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

--- What stands for an address that names a part of the message by its Content-ID. Browsers know no
--- cid:, and what they load from us they would load as a stranger.
---@param parts mime_part[]
---@return fun(url: string): string?
local function inline(parts)
  local by_id, left = {}, INLINE_MAX
  for _, part in ipairs(parts) do
    if part.content_id and part.type:find("^image/[%w.+-]+$") then by_id[part.content_id] = part end
  end
  return function(url)
    local part = by_id[url:match("^%s*[cC][iI][dD]:(%S*)")]
    if not part or part:size() > left then return nil end
    local image = part:content()
    if type(image) == "string" then return nil end
    left = left - #image
    return ("data:%s;base64,%s")
      :format(part.type, image:base64_encode():string(2 * INLINE_MAX))
  end
end

--- The HTML part, as it can be shown: without its pixel, and with the images that are in it. The
--- policy of its page refuses others in any case (page.foreign), but the browser would complain of
--- each.
---@param view view
---@param with_remote? boolean   with images from elsewhere
---@return string
function viewing.html(view, with_remote)
  local data_of = inline(view.read.parts)
  return images.change(untracked(view), function(url, tag)
    local data = data_of(url)
    if not data and tag and not with_remote and not images.is_data(url) then return false end
    return data
  end)
end

--- The first links, and all that lie; and how many others there are.
local function links_of(view)
  local found, others = {}, 0
  for target, text in links.of(view.html or "") do
    local differs = links.differs(target, text) ~= nil
    if differs or #found < LINKS_MAX then
      found[#found + 1] =
        { text = shown.line(text), target = shown.line(target), differs = differs }
    else
      others = others + 1
    end
  end
  return found, others
end

-- --- the model -----------------------------------------------------------------------------------

--- The headers that people read, and the others.
local function headers_of(view)
  local read, others = {}, {}
  for _, field in ipairs(view.read.fields) do
    local list = READ[field.name:lower()] and read or others
    list[#list + 1] = { name = field.name, value = shown.line(field.value) }
  end
  return read, others
end

local function attachments_of(view, id, t)
  local list = {}
  for n, part in ipairs(view.read.parts) do
    if part ~= view.read.html and part ~= view.read.plain then
      list[#list + 1] = {
        name = shown.line(part.filename or part.content_id or t.unnamed), type = part.type,
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
  local html_src, remote = ("/review/%s/html"):format(id), images.count_remote(untracked(view))
  local html = view.html
  local headers, others = headers_of(view)
  local attachments = attachments_of(view, id, t)
  local links_found, more_links = links_of(view)
  return {
    etag = view.etag,
    headers = headers, more_headers = { rows = others },
    has_html = html ~= nil,
    html_src = with_remote and html_src .. "?images=1" or html_src,
    remote_images = remote > 0 and remote,
    images_href = not with_remote and ("/review/%s?images=1"):format(id) or nil,
    hide_images_href = with_remote and "/review/" .. id or nil,
    text = view.read.plain and view.read.plain:text(),
    attachments = attachments, has_attachments = #attachments > 0,
    pixel = view.pixel and { id = view.pixel_id, note = t.pixel_note } or nil,
    signature = html ~= nil and html:find('class="gmail_signature"', 1, true) ~= nil,
    links = links_found, has_links = #links_found > 0,
    more_links = more_links > 0 and t.more:format(more_links),
  }
end

return viewing
