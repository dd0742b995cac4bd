--- GET /review/{id}/edit: changing what a draft says, and seeing what comes of it.

local drafts = require "lib.drafts"
local editions = require "lib.editions"
local edits = require "lib.edits"
local fail = require "lib.fail"
local history = require "lib.history"
local json = require "paraph.json"
local page = require "lib.page"
local shown = require "lib.shown"
local url = require "lib.url"
local viewing = require "lib.viewing"

local pages = {}

local RECIPIENTS = { "to", "cc", "bcc", "reply_to" }

-- --- the form ------------------------------------------------------------------------------------

local function joined(value)
  if type(value) ~= "table" then return shown.text(value) end
  local lists = {}
  for i, item in ipairs(value) do lists[i] = shown.text(item) end
  return table.concat(lists, ", ")
end

--- What the form shows of a draft: the values of its fields.
local function fields_of(document)
  local fields = { subject = shown.text(document.subject) }
  for _, name in ipairs(RECIPIENTS) do fields[name] = joined(document[name]) end
  if document.template then
    fields.vars = json.encode(document.vars or {})
  else
    fields.message = shown.text(document.body)
  end
  return fields
end

--- The patch that makes of a draft what the form says: only what is another. Line breaks in a body
--- are LF in forms, whatever they were.
local function patch_of(document, form)
  local before, patch = fields_of(document), {}
  for name, value in pairs(before) do
    local given = form[name]
    if given and given ~= (value:gsub("\r\n?", "\n")) then patch[name] = given end
  end
  for _, name in ipairs(RECIPIENTS) do
    if patch[name] == "" and name ~= "to" then patch[name] = json.null end
  end
  if not patch.vars then return patch end
  local vars, err = json.decode(patch.vars)
  if err then return fail("invalid_field", "vars: " .. err.message, "vars") end
  patch.vars = vars
  if patch.vars ~= nil then patch.template = document.template end
  return patch
end

local function model_of(draft, t, form)
  local document = draft.document
  local fields = fields_of(document)
  for name in pairs(fields) do fields[name] = form and form[name] or fields[name] end
  local format = shown.text(document.format)
  fields.template = document.template and shown.text(document.template)
  fields.format_label = t["format_" .. (format ~= "" and format or "text")] or format
  return {
    id = draft.id, subject = shown.draft(draft, t).subject, is_review = true,
    is_template = fields.template ~= nil, fields = fields,
  }
end

--- A field of one line, as the form shows it.
local function line_of(name, model, t)
  local id, is_address, error = name:gsub("_", "-"), name ~= "subject", (model.errors or {})[name]
  local described_by = {}
  if is_address then described_by[1] = "addresses" end
  if error then described_by[#described_by + 1] = id .. "-wrong" end
  return { id = id, name = name, label = t["field_" .. name], value = model.fields[name],
    is_address = is_address, error = error or false,
    described_by = described_by[1] and table.concat(described_by, " ") or false }
end

local function reply_with(req, model, code)
  local t = page.words(req)
  model.addresses, model.subject_line = {}, line_of("subject", model, t)
  for i, name in ipairs(RECIPIENTS) do model.addresses[i] = line_of(name, model, t) end
  return page.reply(req, "edit", model, code)
end

local function load(req)
  local draft, err = drafts.load(req.params.id)
  if not draft then return nil, err end
  err = drafts.refusal(draft)
  if err then return nil, err end
  return draft
end

--- GET /review/{id}/edit
pages.show = page.handler(function(req)
  local draft, err = load(req)
  if not draft then return nil, err end
  local model = model_of(draft, page.words(req))
  local view = viewing.open(draft)
  model.etag, model.edition = view and view.etag or "", editions.number(draft.document)
  return reply_with(req, model)
end)

-- --- what it posts -------------------------------------------------------------------------------

--- What is wrong with a field, which needs no name where it stands.
local function error_of(field, err, t)
  local start = field .. ": "
  local detail = err.message:sub(1, #start) == start and err.message:sub(#start + 1) or err.message
  local sentence = err.code == "invalid_recipient" and t.error_recipient or t.error_field
  return sentence:format(detail)
end

--- Why nothing was saved. If somebody else was faster, what he changed, and the form is now one
--- that would overwrite that; if the draft is decided by now, it is one to copy from.
local function tell_why(model, draft, form, err, t)
  if drafts.refusal(draft) then
    model.wrong, model.readonly = t.edit_decided, "readonly"
  elseif err.code == "changed_since_review" then
    local view = viewing.open(draft)
    model.changed = history.since(draft, form.edition, t)
    model.changed.hint = t.changed_save_hint
    model.etag, model.edition = view and view.etag or "", editions.number(draft.document)
  elseif model.fields[err.field or ""] then
    model.wrong, model.errors = t.edit_errors, { [err.field] = error_of(err.field, err, t) }
  else
    model.wrong = t.edit_failed .. " " .. err.message
  end
end

--- The form again, as it was filled in.
local function again(req, form, err)
  local draft, load_err = drafts.load(req.params.id)
  if not draft then return nil, load_err end
  local t = page.words(req)
  local model = model_of(draft, t, form)
  model.is_unsaved, model.etag, model.edition = true, form.etag, form.edition
  tell_why(model, draft, form, err, t)
  return reply_with(req, model, err.code)
end

--- POST /review/{id}/edit
pages.save = page.form(function(req, form)
  local draft, err = load(req)
  local patch, edit, saved
  if draft then patch, err = patch_of(draft.document, form) end
  if patch then edit, err = edits.read(patch) end
  if edit then
    local etag = form.etag ~= "" and form.etag or nil
    saved, err = edits.apply(draft.id, edit, req.caller, etag)
  end
  if not saved then return again(req, form, err) end
  return page.redirect("/review/" .. saved.id .. url.query { said = "saved", of = saved.id })
end)

--- POST /review/{id}/preview: what would come of it, for a frame.
pages.preview = page.form(function(req, form)
  local draft, err = load(req)
  local patch, edit, contents, view
  if draft then patch, err = patch_of(draft.document, form) end
  if patch then edit, err = edits.read(patch) end
  if edit then contents, err = drafts.contents(draft) end
  if contents then
    view, err = viewing.build(draft.id,
      drafts.merged(draft.document, edit.members, edit.removed), contents)
  end
  if not view then return page.foreign_error(err) end
  return page.foreign(viewing.html(view))
end)

return pages
