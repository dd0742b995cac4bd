--- The images of an HTML text: where it names them, and what may stand there instead.

local links = require "lib.links"
local text = require "paraph.text"

local images = {}

local IMAGE = { image = true, feimage = true }

--- The attributes that name an image, and of which elements they do; `background`
--- of all. CSS may name one, too.
local ATTRIBUTES = {
  background = {},
  src = { img = true, image = true, input = true },
  srcset = { img = true, source = true },
  poster = { video = true },
  href = IMAGE,
  ["xlink:href"] = IMAGE,
  style = {},
}

local function names_image(tag, name)
  return name == "background" or ATTRIBUTES[name][tag.name]
end

local function in_css(css, change)
  return (css:gsub("([uU][rR][lL]%(%s*[\"']?)([^\"')%s]*)", function(start, url)
    local another = change(url)
    return another and start .. another
  end))
end

local function written(name, value)
  return ('%s="%s"'):format(name, text.escape(value))
end

--- What is to stand in place of an attribute; nil: it stays.
local function changed(html, tag, attribute, change)
  local name, value = attribute.name, attribute.value
  if name == "style" then
    local css = in_css(value, change)
    return css ~= value and written(name, css) or nil
  elseif names_image(tag, name) then
    local another = change(value, tag)
    if another == false then return "data-" .. html:sub(attribute.first, attribute.last) end
    return another and written(name, another)
  end
end

--- HTML with other images. `change` is told each address, and the tag that it stands in, if that is
--- not in CSS: it gives another one, or false to put it out of use (not in CSS), or nil.
---@param html string
---@param change fun(url: string, tag?: paraph.tag): string|false|nil
---@return string
function images.change(html, change)
  local pieces, from, style = {}, 1, nil
  local function put(first, last, piece)
    pieces[#pieces + 1] = html:sub(from, first - 1)
    pieces[#pieces + 1] = piece
    from = last + 1
  end
  for tag in text.tags(html, ATTRIBUTES) do
    if style then
      local first, last = style.last + 1, tag.first - 1
      put(first, last, in_css(html:sub(first, last), change))
    end
    style = tag.name == "style" and tag
    for _, attribute in ipairs(tag.attributes) do
      local piece = changed(html, tag, attribute, change)
      if piece then put(attribute.first, attribute.last, piece) end
    end
  end
  pieces[#pieces + 1] = html:sub(from)
  return table.concat(pieces)
end

--- Is it in the HTML itself?
---@param url string
---@return boolean
function images.is_data(url)
  return url:find("^%s*[dD][aA][tT][aA]:") ~= nil
end

--- Does an address, or one of a srcset, lead to a host?
---@param url string
---@return boolean
function images.is_remote(url)
  if images.is_data(url) then return false end
  for one in url:gmatch("[^,]+") do
    if links.host(one) then return true end
  end
  return false
end

--- How many images are loaded from elsewhere: an element has one, however many it may choose from.
---@param html string
---@return integer
function images.count_remote(html)
  local n, counted = 0, nil
  images.change(html, function(url, tag)
    if images.is_remote(url) and not (tag and tag == counted) then n, counted = n + 1, tag end
  end)
  return n
end

return images
