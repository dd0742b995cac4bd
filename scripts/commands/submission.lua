--- The body of POST / from what a command is given: a JSON file, and options that go before what it
--- says.

local json = require "paraph.json"

local submission = {}

--- Attachments stay outside Lua.
local DECODE = { blobs = "attachments.*.content" }

local TEXTS = { "from", "from_name", "subject", "format", "thread_id", "in_reply_to" }
local LISTS = { "to", "cc", "bcc", "reply_to" }

--- By the end of the file's name; anything else is application/octet-stream.
local TYPES = {
  csv = "text/csv", doc = "application/msword", gif = "image/gif", gz = "application/gzip",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  htm = "text/html", html = "text/html", ics = "text/calendar", jpeg = "image/jpeg",
  jpg = "image/jpeg", json = "application/json", md = "text/markdown", mp3 = "audio/mpeg",
  mp4 = "video/mp4", odt = "application/vnd.oasis.opendocument.text", pdf = "application/pdf",
  png = "image/png", svg = "image/svg+xml", txt = "text/plain", webp = "image/webp",
  ppt = "application/vnd.ms-powerpoint",
  pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation",
  xls = "application/vnd.ms-excel",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  xml = "application/xml", zip = "application/zip",
}

---@param filename string
---@return string
function submission.type_of(filename)
  local ending = filename:match("%.([%w]+)$")
  return ending and TYPES[ending:lower()] or "application/octet-stream"
end

-- --- files ---------------------------------------------------------------------------------------

--- What can be read, be it standard input, and at most as much as a request may hold. What is too
--- large is the message's fault (an error), what is not there the command line's (a sentence).
---@param host paraph.command_host
---@return fun(path: string): paraph.blob?, string|paraph.err|nil
local function reader_of(host)
  local left, is_read = host.max_bytes, false
  return function(path)
    if path == "-" and is_read then return nil, "standard input can be read only once" end
    local blob, err
    if path == "-" then blob, err = host.read_stdin() else blob, err = host.read_file(path) end
    is_read = is_read or path == "-"
    if not blob then return nil, err.code == "payload_too_large" and err or err.message end
    left = left - #blob
    if left >= 0 then return blob end
    return nil, { code = "payload_too_large",
      message = ("all files together have more than MAX_BODY_BYTES, which is %d")
        :format(host.max_bytes) }
  end
end

-- --- options -------------------------------------------------------------------------------------

--- A JSON object from an option; nil and a sentence.
local function object_of(name, text)
  local value, err = json.decode(text)
  if err then return nil, ("--%s: %s"):format(name, err.message) end
  if type(value) ~= "table" or getmetatable(value) == json.array_mt then
    return nil, ("--%s: takes a JSON object"):format(name)
  end
  return value
end

local function take_texts(request, options)
  for _, name in ipairs(TEXTS) do
    if options[name] ~= nil then request[name] = options[name] end
  end
  for _, name in ipairs(LISTS) do
    local list = options[name]
    if list then request[name] = #list == 1 and list[1] or list end
  end
  if options.no_tracking then request.tracking = false end
  return true
end

--- A body goes in place of a template, and a template in place of a body.
local function take_body(request, options, read)
  if options.message and options.message_file then
    return nil, "--message and --message-file: one of the two"
  end
  local text = options.message
  if options.message_file then
    local err
    text, err = read(options.message_file)
    if not text then return nil, err end
  end
  if text then
    request.message = text
    if not options.template then request.template, request.vars = nil, nil end
  end
  if options.template then
    request.template = options.template
    if not text then request.message, request.format = nil, options.format end
  end
  return true
end

local function take_vars(request, options)
  local vars = request.vars
  if options.vars then
    local sentence
    vars, sentence = object_of("vars", options.vars)
    if not vars then return nil, sentence end
  end
  for _, pair in ipairs(options.var or {}) do
    local name, value = pair:match("^([^=]+)=(.*)$")
    if not name then return nil, "--var takes NAME=VALUE, not '" .. pair .. "'" end
    if type(vars) ~= "table" then vars = {} end
    vars[name] = value
  end
  request.vars = vars
  return true
end

local function take_metadata(request, options)
  if not options.metadata then return true end
  local sentence
  request.metadata, sentence = object_of("metadata", options.metadata)
  return request.metadata ~= nil, sentence
end

local function take_attachments(request, options, read)
  if not options.attach then return true end
  local attachments = type(request.attachments) == "table" and request.attachments
    or setmetatable({}, json.array_mt)
  request.attachments = attachments
  for _, path in ipairs(options.attach) do
    local content, err = read(path)
    if not content then return nil, err end
    local filename = path:match("[^/]+$") or path
    attachments[#attachments + 1] = {
      filename = filename, content_type = submission.type_of(filename),
      content = content:base64_encode(),
    }
  end
  return true
end

local function take_mode(request, options)
  if options.draft and options.mode and options.mode ~= "draft" then
    return nil, "--draft and --mode " .. options.mode .. ": one of the two"
  end
  local mode = options.draft and "draft" or options.mode
  if mode and mode ~= "draft" and mode ~= "send" then
    return nil, "--mode is draft or send, not '" .. mode .. "'"
  end
  request.mode = mode or request.mode or "send"
  return true
end

local STEPS = { take_texts, take_body, take_vars, take_metadata, take_attachments, take_mode }

-- --- the body ------------------------------------------------------------------------------------

--- Options that say something about the message itself.
local MESSAGE = { "to", "cc", "bcc", "from", "from_name", "reply_to", "subject", "message",
  "message_file", "format", "template", "var", "vars", "attach", "thread_id", "in_reply_to",
  "no_tracking", "metadata" }

local function describes(options)
  for _, name in ipairs(MESSAGE) do
    if options[name] ~= nil then return true end
  end
  return false
end

local function encode(request, max_bytes)
  local bytes = 0
  for _, attachment in ipairs(request.attachments or {}) do
    local content = type(attachment) == "table" and attachment.content
    bytes = bytes + (type(content) == "userdata" and #content or 0)
  end
  local body = bytes <= max_bytes and json.encode(request) or nil
  if body and #body <= max_bytes then return body end
  return nil, { code = "payload_too_large",
    message = ("the message has %d bytes, attachments in base64; MAX_BODY_BYTES is %d")
      :format(body and #body or bytes, max_bytes) }
end

--- What POST / is to be given. A file that holds no JSON object is given as it is, so that the
--- answer says what is wrong with it.
---@param options table<string, any>   as commands.send reads them
---@param file? string                 "-" is standard input, as is none without an option
---@param host paraph.command_host
---@return string|paraph.blob|nil body
---@return string|paraph.err|nil why    wrong usage, or too large
function submission.read(options, file, host)
  local read, request = reader_of(host), {}
  if not file and not describes(options) then
    if host.stdin_is_terminal then
      return nil, "there is no message: give --to, --subject and --message, or a FILE"
    end
    file = "-"
  end
  if file then
    local text, err = read(file)
    if not text then return nil, err end
    request = json.decode(text, DECODE)
    if type(request) ~= "table" or getmetatable(request) == json.array_mt then return text end
  end
  for _, step in ipairs(STEPS) do
    local ok, err = step(request, options, read)
    if not ok then return nil, err end
  end
  return encode(request, host.max_bytes)
end

return submission
