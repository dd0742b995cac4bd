--- Reads a message that mail.build has made, for tests: its headers, its text, its HTML.

local testing = require "paraph.testing"

local mime = {}

local function decode_base64(text)
  return assert(testing.blob(text):base64_decode()):string(64 << 20)
end

local function decode_quoted_printable(text)
  return (text:gsub("=\r\n", ""):gsub("=(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local decoders = {
  base64 = decode_base64,
  ["quoted-printable"] = decode_quoted_printable,
}

--- RFC 2047; the space between two encoded words is no part of the text.
local function decode_words(text)
  text = text:gsub("(=%?[^?]+%?[BbQq]%?[^?]*%?=)%s+%f[=]", "%1")
  return (text:gsub("=%?[^?]+%?([BbQq])%?([^?]*)%?=", function(kind, word)
    if kind:upper() == "B" then return decode_base64(word) end
    return decode_quoted_printable((word:gsub("_", " ")))
  end))
end

local function file_name(disposition)
  local encoded = disposition:match("filename%*=[Uu][Tt][Ff]%-8''([^;%s]*)")
  if encoded then
    return (encoded:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  return disposition:match('filename="([^"]*)"') or disposition:match("filename=([^;%s]+)")
end

local function read_headers(text)
  local headers = {}
  for line in (text:gsub("\r\n([ \t])", "%1") .. "\r\n"):gmatch("(.-)\r\n") do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    if name then headers[name:lower()] = value end
  end
  return headers
end

local function each_part(body, boundary, visit)
  local start = body:find("--" .. boundary, 1, true)
  while start do
    local from = start + 2 + #boundary
    if body:sub(from, from + 1) == "--" then return end
    local stop = assert(body:find("\r\n--" .. boundary, from, true), "a part without an end")
    visit(body:sub(from + 2, stop - 1))
    start = stop + 2
  end
end

--- Add the part, or those in it, to the list.
local function read_part(text, parts)
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  if not head then head, body = "", text:gsub("^\r\n", "") end
  local headers = read_headers(head)
  local content_type = headers["content-type"] or "text/plain"
  local boundary = content_type:match('boundary="([^"]+)"')
    or content_type:match("boundary=([^;%s]+)")
  if boundary then
    each_part(body, boundary, function(part) read_part(part, parts) end)
    return headers
  end
  local decode = decoders[(headers["content-transfer-encoding"] or ""):lower()]
  local disposition = headers["content-disposition"]
  parts[#parts + 1] = {
    type = content_type:match("^[^;%s]+"):lower(),
    attached = disposition ~= nil,
    filename = disposition and file_name(disposition),
    body = decode and decode(body) or body,
  }
  return headers
end

--- The body of the first part of this type that is no attachment, with the line ends of Lua.
local function body_of(parts, content_type)
  for _, part in ipairs(parts) do
    if part.type == content_type and not part.attached then
      return (part.body:gsub("\r\n", "\n"))
    end
  end
end

---@param bytes paraph.blob
---@return { from: string, subject: string, text?: string, html?: string,
---  headers: table<string, string>, parts: table[] }
function mime.read(bytes)
  local parts = {}
  local headers = read_part(bytes:string(64 << 20), parts)
  for name, value in pairs(headers) do headers[name] = decode_words(value) end
  return {
    from = headers.from, subject = headers.subject, headers = headers, parts = parts,
    text = body_of(parts, "text/plain"), html = body_of(parts, "text/html"),
  }
end

return mime
