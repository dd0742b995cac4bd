--- What a recipient reads: message, pixel and signature as HTML and as plain text.

local text = require "paraph.text"

local compose = {}

---@class letter
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
  return "\n\n-- \n" .. text.from_html(signature)
end

---@param letter letter
---@return string? html      nil if the body cannot be brought into this form
---@return string plain      or why
function compose.bodies(letter)
  -- Little Markdown can stand for more HTML than any mail may hold.
  local converted, message = pcall(to_html[letter.format], letter.body)
  if not converted then return nil, message end
  local plain = letter.format == "text" and letter.body or text.from_html(message)
  local pixel = letter.pixel or ""
  local signature = html_signature(letter.signature)

  local html
  if letter.place == "top" then
    html = prepend(append(message, signature), pixel)
  elseif letter.place == "end" then
    html = append(message, signature .. pixel)
  else
    html = append(message, pixel .. signature)
  end
  return html, plain .. text_signature(letter.signature)
end

return compose
