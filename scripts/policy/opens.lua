--- Who opened a message, as far as a request for its pixel tells. Every open is counted, each
--- under its kind and with its reason; nothing about who asked is kept, unless the policy says so.

local opens = {}

---@alias open_kind
---| "person"    somebody looked at the message
---| "proxy"     a mail service fetched the image when somebody looked
---| "prefetch"  a program fetched it ahead, whether anybody looks or not
---| "scanner"   a filter or a robot looks through mail
---| "sender"    one of us, on our own pages

---@class open
---@field user_agent string     "" if there was none
---@field referer string        "" if there was none
---@field purpose string        of Sec-Purpose, Purpose or X-Moz; "" if there was none
---@field remote string         address of the peer: a proxy's, if one stands in front
---@field forwarded string     X-Forwarded-For, each proxy adding whom it saw; "" if there was none
---@field age number            seconds since the message left
---@field count integer         opens so far
---@field base_url string       of our own pages
---@field pixel paraph.document what is stored of the pixel, but for the list of its opens

--- A message is at its recipient's filters before anybody can have seen it.
local TOO_SOON = 3 -- seconds

--- { part of the user agent in lower case, kind, reason }
local programs = {
  { "googleimageproxy", "proxy", "Gmail fetches images when a message is opened" },
  { "yahoomailproxy", "proxy", "Yahoo fetches images when a message is opened" },
  { "duckduckgo", "proxy", "a privacy proxy fetches images when a message is opened" },
  { "proofpoint", "scanner", "a mail filter" },
  { "barracuda", "scanner", "a mail filter" },
  { "mimecast", "scanner", "a mail filter" },
  { "symantec", "scanner", "a mail filter" },
  { "bot", "scanner", "a robot" },
  { "crawl", "scanner", "a robot" },
  { "spider", "scanner", "a robot" },
  { "scan", "scanner", "a robot" },
  { "headless", "scanner", "a browser without a window" },
  { "curl/", "scanner", "a program, not a mail reader" },
  { "wget/", "scanner", "a program, not a mail reader" },
  { "python", "scanner", "a program, not a mail reader" },
  { "go-http-client", "scanner", "a program, not a mail reader" },
  { "java/", "scanner", "a program, not a mail reader" },
}

local function starts_with(text, start)
  return start ~= "" and text:sub(1, #start) == start
end

--- A third value, a table of texts, is kept with the open: { user_agent = open.user_agent }.
---@param open open
---@return open_kind kind
---@return string reason
---@return table<string, string>? kept
function opens.classify(open)
  if starts_with(open.referer, open.base_url) then
    return "sender", "the image was asked for from our own pages"
  end
  if open.purpose:lower():find("prefetch", 1, true) then
    return "prefetch", "the program says that it fetches ahead"
  end
  local agent = open.user_agent:lower()
  if agent == "" then return "scanner", "no mail reader hides its name" end
  if agent == "mozilla/5.0" then
    return "prefetch", "Apple Mail fetches all images ahead, under this name"
  end
  for _, program in ipairs(programs) do
    if agent:find(program[1], 1, true) then return program[2], program[3] end
  end
  if open.age < TOO_SOON then
    return "scanner", ("%d seconds after it left, nobody can have seen it"):format(TOO_SOON)
  end
  return "person", "a mail reader or a browser"
end

return opens
