-- Tries to find the table behind a read-only one.
-- Expected: harmless

local review = {}

function review.decide(letter)
  local seen = { [_G] = true }
  local function try(module)
    local _, state = pairs(module)
    if state ~= module then error("pairs gives the table away") end
    if getmetatable(module) then error("getmetatable gives the table away") end
    for _, member in pairs(module) do
      if type(member) == "table" and not seen[member] then
        seen[member] = true
        if pcall(function() member.stolen = 1 end) then error("a member can be changed") end
      end
    end
  end
  for _, library in ipairs { _G, string, table, math, utf8 } do try(library) end
  for _, name in ipairs { "lib.message", "lib.drafts", "lib.delivery", "paraph.store", "cjson" } do
    try(require(name))
  end
  return "send"
end

return review
