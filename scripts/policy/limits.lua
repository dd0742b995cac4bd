--- How much may leave in a day. What would exceed a limit waits for a review, where a person may
--- still let it out; that counts, too.

local limits = {}

--- Each limit is counted under its own name, so the name says what it is for:
---
---   return {
---     { name = "from " .. letter.sender.address, most = 500 },
---     { name = "to example.com", most = 50, count = 2 },  -- this message counts as two
---   }
---
--- The day is that of local time (the variable TZ). Without limits nothing is counted.
---@param letter letter
---@return limit[]
function limits.of(letter) -- luacheck: no unused args
  return {}
end

return limits
