--- Changing a draft that waits: PATCH /drafts/{id}, and the form of the review pages. What comes of
--- it is built, so that a draft can always be sent.

local approvals = require "lib.approvals"
local drafts = require "lib.drafts"
local editions = require "lib.editions"
local fail = require "lib.fail"
local json = require "paraph.json"
local message = require "lib.message"
local schema = require "lib.schema"
local time = require "paraph.time"

local edits = {}

--- The members that a patch gives as null, under their stored names.
local function nulls_of(patch)
  local nulls = {}
  for name, value in pairs(type(patch) == "table" and patch or {}) do
    if value == json.null then nulls[#nulls + 1] = name == "message" and "body" or name end
  end
  return nulls
end

---@class edit
---@field members paraph.document
---@field removed string[]
---@field contents? paraph.blob[]   in place of all contents there are

--- A patch as a change of the stored document: one form of the body drives out the other, and who
--- takes the attachments away takes their contents away.
---@param patch any               the body of PATCH, or what stands for it
---@return edit? edit
---@return paraph.err? err
function edits.read(patch)
  local removed = nulls_of(patch)
  local checked, members, contents, err
  checked, err = schema.check(message.patch, patch)
  if not checked then return nil, err end
  members, contents = message.members(checked)
  if not members then return nil, contents end
  if members.body then table.move({ "template", "vars" }, 1, 2, #removed + 1, removed) end
  if members.template then removed[#removed + 1] = "body" end
  for _, name in ipairs(removed) do
    if name == "attachments" then contents = {} end
  end
  return { members = members, removed = removed, contents = contents }
end

--- The message that would come of an edit.
---@async
---@param draft draft
---@param edit edit
---@return paraph.message? built
---@return paraph.err? err
function edits.build(draft, edit)
  local contents, err = edit.contents, nil
  if not contents then contents, err = drafts.contents(draft) end
  if not contents then return nil, err end
  local built
  built, err = message.build(draft.id,
    drafts.merged(draft.document, edit.members, edit.removed), contents)
  return built, not built and err or nil
end

--- Is the message still the one that was seen?
local function check_seen(draft, etag)
  if not etag then return true end
  local built, err = edits.build(draft, { members = {}, removed = {} })
  if not built then return nil, err end
  if built:etag() == etag then return true end
  return fail("changed_since_review", "somebody else has changed this draft meanwhile")
end

--- The edit, by whom, and as which edition. What was to leave at once is, edited, no longer what
--- its sender asked for; what was approved is no longer what his reviewer saw.
local function signed(edit, document, caller)
  local names = {}
  for _, name in ipairs(type(document.edited_by) == "table" and document.edited_by or {}) do
    if name ~= caller.name then names[#names + 1] = name end
  end
  names[#names + 1] = caller.name
  local told = { edited_by = names, edited_at = time.now(),
    edition = editions.number(document) + 1 }
  local removed = { "mode" }
  table.move(edit.removed, 1, #edit.removed, 2, removed)
  local back = approvals.taken_back(document)
  table.move(back.removed, 1, #back.removed, #removed + 1, removed)
  return {
    members = drafts.merged(drafts.merged(edit.members, told, {}), back.members, {}),
    removed = removed,
    contents = edit.contents,
  }
end

---@async
---@param id string
---@param edit edit
---@param caller paraph.caller
---@param etag? string          of the message that he has seen
---@return draft? draft
---@return paraph.err? err      `changed_since_review`: it was another
function edits.apply(id, edit, caller, etag)
  return drafts.change(id, function(draft)
    local refusal = drafts.refusal(draft)
    if refusal then return nil, refusal end
    local ok, err = check_seen(draft, etag)
    if not ok then return nil, err end
    ok, err = edits.build(draft, edit)
    if not ok then return nil, err end
    if not next(edit.members) and not next(edit.removed) then return {} end
    ok, err = editions.keep(draft)
    if not ok then return nil, err end
    local change = signed(edit, draft.document, caller)
    ok, err = drafts.check_size(drafts.merged(draft.document, change.members, change.removed))
    return ok and change, err
  end)
end

return edits
