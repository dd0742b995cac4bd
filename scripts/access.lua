--- Roles of identities that do not bring their own. (An API key has the roles it was made with.)

local access = {}

---@class identity
---@field method "google"|"iap"|"iam"|"none"
---@field name string       e-mail address; "anonymous" under "none"

---@alias role "draft"|"send"|"review"|"ops"

---@param identity identity
---@return role[]
function access.roles(identity) -- luacheck: no unused args
  return { "draft", "send", "review", "ops" }
end

return access
