--- Who may do what. Roles, which the host enforces at every route:
---
---   draft    propose mail
---   send     have mail sent without a review, if the policies let it; and draft
---   review   see drafts, change them, and have them sent
---   ops      see how the service is doing
---
--- An API key has the roles it was made with, and `roles` is not asked about it.

local access = {}

---@class identity
---@field method "key"|"google"|"iap"|"iam"|"none"|"command"  of AUTH, by which the caller is known;
---                        "command": who runs the program himself, and has all roles
---@field name string       of the key; else an e-mail address in lower case; "anonymous"

---@alias role "draft"|"send"|"review"|"ops"

local EVERYTHING = { "draft", "send", "review", "ops" }
local PERSON = { "draft", "send", "review" }
local PROGRAM = { "draft", "send" }

local roles = {
  -- What stands in front of the service has let him in, or it is open to all.
  none = EVERYTHING,
  iam = EVERYTHING,
  -- People, at a browser.
  iap = PERSON,
}

--- A service account is a program, every other address a person.
local function is_program(name)
  return name:find("%.gserviceaccount%.com$") ~= nil
end

---@param identity identity
---@return role[]
function access.roles(identity)
  return roles[identity.method] or is_program(identity.name) and PROGRAM or PERSON
end

--- How many requests a minute a caller may make, of which a minute's worth at once; nil: as many as
--- he likes. Beyond that he gets 429. Each process counts for itself.
---@param identity identity
---@return number?
function access.rate(identity) -- luacheck: no unused args
  return nil
end

return access
