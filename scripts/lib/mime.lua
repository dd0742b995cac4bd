--- Reads a message as mail programs do, from its very bytes: what reviewers are shown is what
--- recipients get. Attachments stay outside Lua.

local mime = {}

local TEXT_MAX = 64 << 20 -- bytes of a part that is read as text

-- --- encodings -----------------------------------------------------------------------------------

local digits = {}
for i = 0, 63 do
  digits[("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):byte(i + 1)] = i
end

--- Of the few bytes of an encoded word.
local function decode_word_base64(text)
  local bits, n, out = 0, 0, {}
  for i = 1, #text do
    local digit = digits[text:byte(i)]
    if digit then
      bits, n = (bits << 6 | digit) & 0xFFFFFF, n + 6
      if n >= 8 then
        n = n - 8
        out[#out + 1] = string.char(bits >> n & 0xFF)
      end
    end
  end
  return table.concat(out)
end

local function decode_quoted_printable(text)
  return (text:gsub("=\r\n", ""):gsub("=(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- RFC 2047; the space between two encoded words is no part of the text.
local function decode_words(text)
  text = text:gsub("(=%?[^?]+%?[BbQq]%?[^?]*%?=)%s+%f[=]", "%1")
  return (text:gsub("=%?[^?]+%?([BbQq])%?([^?]*)%?=", function(kind, word)
    if kind:upper() == "B" then return decode_word_base64(word) end
    return decode_quoted_printable((word:gsub("_", " ")))
  end))
end

--- RFC 2231.
local function decode_percent(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- --- headers -------------------------------------------------------------------------------------

--- The lines of a head: names as they are written, values unfolded.
local function read_fields(head)
  local fields = {}
  for line in (head:gsub("\r\n([ \t])", "%1") .. "\r\n"):gmatch("(.-)\r\n") do
    local name, value = line:match("^([^:%s]+):%s*(.*)$")
    if name then fields[#fields + 1] = { name = name, value = value } end
  end
  return fields
end

local function by_name(fields)
  local headers = {}
  for _, field in ipairs(fields) do headers[field.name:lower()] = field.value end
  return headers
end

--- In a quoted text a backslash stands before what would end it (RFC 5322 §3.2.4).
local function parameter(header, name)
  local hidden = header:gsub("\\(.)", function(c) return ("\0%02X"):format(c:byte()) end)
  local value = hidden:match(name .. '="([^"]*)"') or hidden:match(name .. "=([^;%s]+)")
  return value and value:gsub("\0(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
end

--- We write a name in one way: quoted, which may hold what looks like the other, or in sections.
local function file_name(disposition)
  local plain = parameter(disposition, "filename")
  if plain then return decode_words(plain) end
  local sections = {}
  for section in disposition:gmatch("filename%*%d*%*?=([^;%s]*)") do
    sections[#sections + 1] = section
  end
  return sections[1] and decode_percent((table.concat(sections):gsub("^[Uu][Tt][Ff]%-8''", "")))
end

-- --- parts ---------------------------------------------------------------------------------------

---@class mime_part
---@field type string          "text/html"
---@field is_attached boolean  it has a disposition: a file, or an image of the HTML part
---@field filename? string
---@field content_id? string   without <>
---@field encoding string      "base64", "quoted-printable", "7bit"
---@field encoded paraph.blob  as it stands in the message
local Part = {}
Part.__index = Part

--- What it holds.
---@return paraph.blob|string
function Part:content()
  if self.encoding == "base64" then return assert(self.encoded:base64_decode()) end
  if self.encoding ~= "quoted-printable" then return self.encoded end
  return decode_quoted_printable(self.encoded:string(TEXT_MAX))
end

--- The same as text, with the line ends of Lua.
---@return string
function Part:text()
  local content = self:content()
  local text = type(content) == "string" and content or content:string(TEXT_MAX)
  return (text:gsub("\r\n", "\n"))
end

--- How many bytes it holds. Base64 tells by its length: lines of 76 digits, each with its end, as
--- we write them (core/encode.h), and "=" at last for what is not there.
---@return integer
function Part:size()
  local encoded = self.encoded
  if self.encoding ~= "base64" then return #self:content() end
  if #encoded == 0 then return 0 end
  local lines = (#encoded + 77) // 78
  local missing = encoded:slice(-4):string():match("(=*)\r\n$") or ""
  return (#encoded - 2 * lines) // 4 * 3 - #missing
end

local function new_part(headers, encoded)
  local disposition = headers["content-disposition"]
  local content_id = headers["content-id"]
  return setmetatable({
    type = (headers["content-type"] or "text/plain"):match("^[^;%s]*"):lower(),
    is_attached = disposition ~= nil,
    filename = disposition and file_name(disposition),
    content_id = content_id and content_id:match("^<?(.-)>?$"),
    encoding = (headers["content-transfer-encoding"] or "7bit"):lower(),
    encoded = encoded,
  }, Part)
end

--- Where the parts of a multipart body begin and end.
local function each_part(body, boundary, visit)
  local mark = "--" .. boundary
  local start = body:find(mark, 1)
  while start do
    local from = start + #mark
    if body:slice(from, from + 1):string() == "--" then return end
    local stop = assert(body:find("\r\n" .. mark, from), "a part without an end")
    visit(body:slice(from + 2, stop - 1))
    start = stop + 2
  end
end

--- Add a part, or those in it, to the list; its fields.
local function read_part(bytes, parts)
  local stop = bytes:find("\r\n\r\n", 1)
  local fields = read_fields(stop and bytes:slice(1, stop - 1):string(TEXT_MAX) or "")
  local body = bytes:slice(stop and stop + 4 or 1, #bytes)
  local headers = by_name(fields)
  local boundary = parameter(headers["content-type"] or "", "boundary")
  if boundary then
    each_part(body, boundary, function(part) read_part(part, parts) end)
  else
    parts[#parts + 1] = new_part(headers, body)
  end
  return fields
end

-- --- messages ------------------------------------------------------------------------------------

---@class mime_message
---@field fields { name: string, value: string }[]  the headers in order, decoded
---@field headers table<string, string>             by names in lower case
---@field parts mime_part[]
---@field html? mime_part
---@field plain? mime_part

--- The first part of this type that is not attached.
local function first_of(parts, content_type)
  for _, part in ipairs(parts) do
    if part.type == content_type and not part.is_attached then return part end
  end
end

---@param bytes paraph.blob
---@return mime_message
function mime.read(bytes)
  local parts = {}
  local fields = read_part(bytes, parts)
  for _, field in ipairs(fields) do field.value = decode_words(field.value) end
  return {
    fields = fields, headers = by_name(fields), parts = parts,
    html = first_of(parts, "text/html"), plain = first_of(parts, "text/plain"),
  }
end

return mime
