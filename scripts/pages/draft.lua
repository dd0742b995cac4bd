--- GET /review/{id}: one draft, as it will leave; and what is done to it.

local approvals = require "lib.approvals"
local config = require "paraph.config"
local copies = require "lib.copies"
local crypto = require "paraph.crypto"
local drafts = require "lib.drafts"
local editions = require "lib.editions"
local fail = require "lib.fail"
local history = require "lib.history"
local marks = require "lib.marks"
local page = require "lib.page"
local shown = require "lib.shown"
local task = require "paraph.task"
local time = require "paraph.time"
local url = require "lib.url"
local viewing = require "lib.viewing"

local pages = {}

-- --- what there is to see ------------------------------------------------------------------------

--- The next one to review: the newest pending draft that is older than this one, else the newest.
local function next_of(draft)
  local created = shown.text(draft.document.created_at)
  local places = { time.parse(created) and created or nil }
  for i = 1, #places + 1 do
    local found = drafts.list { status = "pending", limit = 3, before = places[i] }
    for _, other in ipairs(found or {}) do
      if other.id ~= draft.id and not approvals.is_approved(other.document) then return other end
    end
  end
end

local function rule_of(document, t)
  local decision = document.decision
  if type(decision) ~= "table" then return nil end
  local verdict = shown.text(decision.verdict)
  return {
    verdict_label = t["verdict_" .. verdict] or verdict,
    reason = shown.text(decision.reason), name = shown.line(decision.rule),
  }
end

--- What may be done to it.
local function actions_of(model, draft, caller)
  local is_there = model.etag ~= nil
  model.can_approve = model.waits and is_there
  model.can_reject = drafts.refusal(draft) == nil
  model.can_edit = model.can_reject
  model.can_test = is_there
  model.can_undo = model.leaves ~= nil
  model.test_to = caller.name:find("@", 1, true) and caller.name or config.gmail_user or ""
end

local function reviewed_of(document, t)
  if document.reviewed_by == nil then return nil end
  return { by = shown.text(document.reviewed_by), at = shown.instant(document.reviewed_at, t) }
end

--- All that a page of a draft needs, at the same time; raises what a part raises.
local function gather(draft, req, t)
  return task.all {
    function() return table.pack(viewing.open(draft)) end,
    function() return editions.all(draft) end,
    function() return history.pixel(draft.document) end,
    function() return next_of(draft) end,
    function() return shown.notice(req, t) end,
    function() return marks.of({ draft }, t)[1] end,
  }
end

local function model_of(draft, req, t)
  local results, err = gather(draft, req, t)
  if not results then return nil, err end
  local view, view_err = table.unpack(results[1][1], 1, 2)
  local model = shown.draft(draft, t)
  local message = view and viewing.model(view, draft.id, t, req.query.images == "1")
    or { build_error = view_err.message }
  for name, value in pairs(message) do model[name] = value end
  model.is_review = true
  model.edition = editions.number(draft.document)
  model.is_edited = model.edition > 0
  model.rule, model.reviewed = rule_of(draft.document, t), reviewed_of(draft.document, t)
  model.reject_reason = draft.document.reject_reason and shown.text(draft.document.reject_reason)
  model.history = history.events(draft, results[2][1] or {}, t)
  model.opens = history.opens(results[3][1], t)
  local other = results[4][1]
  if other then model.next, model.next_href = other.id, "/review/" .. other.id end
  model.notice, model.marks = results[5][1], results[6][1]
  actions_of(model, draft, req.caller)
  return model
end

--- GET /review/{id}
pages.show = page.handler(function(req)
  local draft, err = drafts.load(req.params.id)
  if not draft then return nil, err end
  local model
  model, err = model_of(draft, req, page.words(req))
  if not model then return nil, err end
  return page.reply(req, "draft", model)
end)

--- GET /review/{id}/html: the HTML part, for its frame.
pages.html = page.handler(function(req)
  local draft, err = drafts.load(req.params.id)
  if not draft then return nil, err end
  local view
  view, err = viewing.open(draft)
  if not view then return page.foreign_error(err) end
  local with_images = req.query.images == "1"
  return page.foreign(viewing.html(view, with_images), with_images)
end)

--- A name for a file on somebody's disk (RFC 6266 §4.1).
local function disposition(name)
  return ("attachment; filename=\"%s\"; filename*=UTF-8''%s")
    :format(name:gsub("[^%w._ -]", "_"):sub(-100), url.encode(name))
end

--- GET /review/{id}/part/{n}: what is attached, to be kept, never to be shown in our origin.
pages.part = page.handler(function(req)
  local draft, err = drafts.load(req.params.id)
  if not draft then return nil, err end
  local view
  view, err = viewing.open(draft)
  if not view then return nil, err end
  local part = view.read.parts[math.tointeger(tonumber(req.params.n)) or 0]
  if not part then return fail("not_found", "the message has no such part") end
  return {
    type = "application/octet-stream",
    body = part:content(),
    headers = { ["Content-Disposition"] = disposition(shown.line(part.filename or "part")) },
  }
end)

--- GET /review/{id}/changes?from=…&to=…
pages.changes = page.handler(function(req)
  local t = page.words(req)
  local draft, err = drafts.load(req.params.id)
  if not draft then return nil, err end
  local model
  model, err = history.changes(draft, math.tointeger(tonumber(req.query.from)),
    math.tointeger(tonumber(req.query.to)), t)
  if not model then return nil, err end
  model.is_review, model.id = true, draft.id
  model.subject = shown.draft(draft, t).subject
  return page.reply(req, "changes", model)
end)

-- --- what is done to it --------------------------------------------------------------------------

--- Back to a page, which tells what was done.
local function told(path, said, id, to)
  return page.redirect(path .. url.query { said = said, of = id, to = to })
end

--- On to the next draft, which the page has named, or to the list.
local function go_on(draft, fields, said)
  local other = crypto.is_uuid(fields.next) and fields.next
  return told(other and "/review/" .. other or "/review", said, draft.id)
end

--- The page again: it was approved as it was seen, and that is not how it is.
local function show_change(req, fields)
  local t = page.words(req)
  local draft, err = drafts.load(req.params.id)
  if not draft then return nil, err end
  local model
  model, err = model_of(draft, req, t)
  if not model then return nil, err end
  model.changed = history.since(draft, fields.edition, t)
  model.changed.hint = t.changed_hint
  return page.reply(req, "draft", model, "changed_since_review")
end

--- POST /review/{id}/approve
pages.approve = page.form(function(req, fields)
  local etag = fields.etag
  if not etag or etag == "" then
    return fail("invalid_field", "etag: is missing: open the page again", "etag")
  end
  local draft, err = approvals.approve(req.params.id, { etag = etag }, req.caller)
  if draft then
    return go_on(draft, fields, draft.document.status == "sent" and "sent" or "approved")
  end
  if err.code == "changed_since_review" then return show_change(req, fields) end
  if err.counted then return told("/review", "counted", req.params.id) end
  return nil, err
end)

--- POST /review/{id}/undo
pages.undo = page.form(function(req)
  local id = req.params.id
  local draft, err = approvals.undo(id)
  if draft then return told("/review/" .. draft.id, "undone", draft.id) end
  if err.code == "already_sent" or err.code == "in_progress" then
    return told("/review/" .. id, "too_late", id)
  end
  return nil, err
end)

--- POST /review/{id}/reject
pages.reject = page.form(function(req, fields)
  local reason, draft, err
  reason, err = drafts.reason_of(fields.reason)
  if err then return nil, err end
  draft, err = drafts.reject(req.params.id, reason, req.caller)
  if not draft then return nil, err end
  return go_on(draft, fields, "rejected")
end)

--- POST /review/{id}/test
pages.test = page.form(function(req, fields)
  local id, to = req.params.id, fields.to or ""
  local sent, err = copies.send(id, to)
  if not sent then return nil, err end
  return told("/review/" .. id, "tested", id, to)
end)

return pages
