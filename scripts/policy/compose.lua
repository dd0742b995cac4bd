--- What a recipient reads: message, pixel and signature, as HTML and as plain text.

local compose = {}

---@class message_content
---@field format "text"|"markdown"|"html"  what the message was written in
---@field html string            the message as HTML
---@field text string            the message as plain text
---@field signature string       as HTML; "" for none
---@field signature_text string  as plain text; "" for none
---@field pixel? string          HTML; nil: not tracked
---@field place? pixel_place     where the pixel stands

--- Put `addition` at the end of what is shown: before </body> if there is one.
local function append(html, addition)
  local lower = html:lower()
  if not lower:find("</body", 1, true) then return html .. addition end
  local before = #html - lower:reverse():find("ydob/<", 1, true) - #"</body" + 1
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
  return signature == "" and "" or "\n\n-- \n" .. signature
end

---@param content message_content
---@param letter letter
---@return string html
---@return string text
function compose.bodies(content, letter) -- luacheck: no unused args
  local pixel = content.pixel or ""
  local signature = html_signature(content.signature)
  local html
  if content.place == "top" then
    html = prepend(append(content.html, signature), pixel)
  elseif content.place == "end" then
    html = append(content.html, signature .. pixel)
  else
    html = append(content.html, pixel .. signature)
  end
  return html, content.text .. text_signature(content.signature_text)
end

return compose
