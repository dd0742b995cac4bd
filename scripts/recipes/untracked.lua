--- Send mail to some domains without the pixel that counts opens.
---
--- my/policy/pixel.lua:
---
---   local untracked = require "recipes.untracked"
---   return { place = untracked { "example.com", "*.example.com", "*.gov" } }
---
--- One recipient there is enough: a message has one pixel, or none. Links are not tracked anyway.
--- To track nobody at all, ENABLE_TRACKING=false is simpler; a caller who wants a single message
--- untracked says `"tracking": false`.

local domains = require "lib.domains"
local given = require "lib.given"

---@param list string[]
---@param place? pixel_place   for everybody else; default "after_message"
---@return fun(letter: letter): pixel_place
return function(list, place)
  given("untracked", list, "string[]")
  local is_untracked = domains.among(list)
  return function(letter)
    for _, domain in ipairs(letter.domains) do
      if is_untracked(domain) then return "none" end
    end
    return place or "after_message"
  end
end
