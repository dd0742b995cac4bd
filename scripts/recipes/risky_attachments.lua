--- Hold mail with attachments that run, or that are large.
---
--- my/policy/review.lua:
---
---   local risky_attachments = require "recipes.risky_attachments"
---   local rules = require "lib.rules"
---   return { decide = rules.first {
---     { "attachments", risky_attachments { bytes = 10000000 } },
---   } }
---
--- `types` are endings of names, in place of those below. It goes by the name that a file bears and
--- by the type that its sender claims; it does not look inside, and so not into archives: add
--- "zip", "rar" and "7z" to hold those. Files are measured before they are encoded, each alone.

local given = require "lib.given"

---@class risky_attachments
---@field types? string[]    endings of file names, without the dot
---@field bytes? integer     larger ones are held; default: no limit

local RUN = { "apk", "app", "bat", "chm", "cmd", "com", "cpl", "dll", "dmg", "docm", "exe", "hta",
  "html", "htm", "img", "iso", "jar", "js", "jse", "lnk", "msc", "msi", "one", "ps1", "pif", "pptm",
  "reg", "scr", "sh", "svg", "vbe", "vbs", "wsf", "xlam", "xll", "xlsm" }

local PROGRAMS = { ["application/x-msdownload"] = true, ["application/x-msdos-program"] = true,
  ["application/vnd.microsoft.portable-executable"] = true, ["application/x-sh"] = true,
  ["application/javascript"] = true, ["text/javascript"] = true, ["application/hta"] = true }

---@param options risky_attachments
---@return rule
return function(options)
  given("risky_attachments", options, { types = "string[]?", bytes = "number?" })
  local risky = {}
  for _, ending in ipairs(options.types or RUN) do risky[ending:lower():gsub("^%.", "")] = true end
  return function(letter)
    for _, attachment in ipairs(letter.attachments) do
      local name = attachment.filename or "an attachment without a name"
      -- Windows drops dots and spaces at the end of a name.
      local ending = name:lower():match("%.([^.]-)[. ]*$")
      local kind = (attachment.content_type or ""):lower():match("^[^;%s]*")
      if risky[ending] or PROGRAMS[kind] then
        return "hold", name .. " is of a type that can do harm"
      end
      if options.bytes and attachment.size > options.bytes then
        return "hold", name .. (" is larger than %d bytes"):format(options.bytes)
      end
    end
  end
end
