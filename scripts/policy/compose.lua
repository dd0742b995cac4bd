--- What a recipient reads: message, pixel and signature as HTML and as plain text.

local text = require "paraph.text"

local compose = {}

---@class message_content
---@field format "text"|"markdown"|"html"
---@field body string         in that format
---@field signature string    HTML; "" for none
---@field pixel? string       HTML; nil: not tracked
---@field place? pixel_place  where the pixel stands

local to_html = {
  text = text.to_html,
  markdown = text.markdown_to_html,
  html = function(body) return body end,
}

--- Put `addition` at the end of what is shown: before </body> if there is one.
local function append(html, addition)
  local last = html:lower():reverse():find("ydob/<", 1, true)
  local before = last and #html - last - #"</body" + 1 or #html
  return html:sub(1, before) .. addition .. html:sub(before + 1)
end

--- Put `addition` at the start of what is shown: after <body …> if there is one.
local function prepend(html, addition)
  local body = html:lower():find("<body", 1, true)
  local after = body and html:find(">", body, true) or 0
  return html:sub(1, after) .. addition .. html:sub(after + 1)
end

local function html_signature(signature)
  if signature == "" then return "" end
  return '<br><div class="gmail_signature" data-smartmail="gmail_signature">' .. signature
    .. "</div>"
end

local function text_signature(signature)
  if signature == "" then return "" end
  local plain, err = text.from_html(signature)
  return plain and "\n\n-- \n" .. plain, err
end

---@param content message_content
---@param letter letter
---@return string? html
---@return string|paraph.err plain_or_err  `payload_too_large`: the body cannot be converted
function compose.bodies(content, letter) -- luacheck: no unused args
  local message, plain, below, err
  message, err = to_html[content.format](content.body)
  if not message then return nil, err end
  plain = content.body
  if content.format ~= "text" then plain, err = text.from_html(message) end
  if not plain then return nil, err end
  below, err = text_signature(content.signature)
  if not below then return nil, err end
  local pixel = content.pixel or ""
  local signature = html_signature(content.signature)

  local html
  if content.place == "top" then
    html = prepend(append(message, signature), pixel)
  elseif content.place == "end" then
    html = append(message, signature .. pixel)
  else
    html = append(message, pixel .. signature)
  end
  return html, plain .. below
end

return compose
