--- Values as pages show them, in the words `t` of a language.

local approvals = require "lib.approvals"
local drafts = require "lib.drafts"
local time = require "paraph.time"

local shown = {}

--- Where others may have written anything.
---@param value any
---@return string
function shown.text(value)
  return type(value) == "string" and value or ""
end

--- What is judged by how it looks, a name, an address or a subject: without what turns the order of
--- its characters around. That is made visible.
---@param value any
---@return string
function shown.line(value)
  return (shown.text(value)
    :gsub("\xE2\x80[\xAA-\xAE]", "\u{FFFD}") -- embeddings, overrides
    :gsub("\xE2\x81[\xA6-\xA9]", "\u{FFFD}")) -- isolates
end

local function seconds_of(text)
  local seconds = type(text) == "string" and time.parse(text)
  return seconds and seconds > 0 and seconds < 253e9 and seconds or nil
end

local UNITS = { { 86400, "age_days" }, { 3600, "age_hours" }, { 60, "age_minutes" } }

local function age_of(seconds, t)
  for _, unit in ipairs(UNITS) do
    if seconds >= unit[1] then return t[unit[2]]:format(seconds // unit[1] | 0) end
  end
  return t.age_now
end

--- An instant: for programs, in local time, and how long ago it was; nil for what is none.
---@param text any           RFC 3339
---@param t table<string, string>
---@return { iso: string, text: string, age: string }?
function shown.instant(text, t)
  local seconds = seconds_of(text)
  if not seconds then return nil end
  local date = time.date(seconds)
  return {
    iso = time.format(seconds),
    text = (t.date:gsub("{(%l+)}", function(part)
      return part == "zone" and date.zone or ("%02d"):format(date[part])
    end)),
    age = age_of(time.parse(time.now()) - seconds, t),
  }
end

---@param bytes integer
---@param t table<string, string>
---@return string
function shown.size(bytes, t)
  if bytes < 1000 then return t.size_bytes:format(bytes) end
  if bytes < 1000000 then return t.size_kb:format((bytes + 500) // 1000) end
  return t.size_mb:format(("%.1f"):format(bytes / 1000000))
end

--- What a draft is at: "held", "failed" and "approved" are kinds of pending.
---@param document paraph.document
---@return string
function shown.stage(document)
  local status = shown.text(document.status)
  if status ~= "pending" then return status end
  return approvals.is_approved(document) and "approved"
    or (document.waiting == "held" or document.waiting == "failed") and document.waiting
    or "pending"
end

--- When an approved draft leaves; nil for others.
---@param document paraph.document
---@param t table<string, string>
---@return { seconds: integer, text: string }?
function shown.leaves(document, t)
  if not approvals.is_approved(document) then return nil end
  local seconds = math.ceil(approvals.seconds_left(document))
  return { seconds = seconds, text = seconds > 0 and t.leaves_in:format(seconds) or t.leaves_now }
end

--- Subject, author and all that the list and the page of a draft have in common.
---@param draft draft
---@param t table<string, string>
---@return table
function shown.draft(draft, t)
  local document = draft.document
  local stage = shown.stage(document)
  local subject, author = shown.line(document.subject), shown.line(document.created_by)
  return {
    id = draft.id,
    href = "/review/" .. draft.id,
    subject = subject ~= "" and subject or t.no_subject,
    status = stage,
    status_label = t["status_" .. stage] or stage,
    author = author ~= "" and author or t.unknown,
    created = shown.instant(document.created_at, t),
    held = stage == "held" and shown.text(document.held) or nil,
    error = document.status == "pending" and document.error and shown.text(document.error) or nil,
    leaves = shown.leaves(document, t),
    waits = drafts.refusal(draft) == nil and stage ~= "approved",
  }
end

local WARNINGS = { too_late = true, nothing = true }

--- What has just been done, as a page tells it at the top: `said` of the query is a word of ours,
--- `of` the draft that it was about, `to` an address.
---@async
---@param req paraph.request
---@param t table<string, string>
---@return table?
function shown.notice(req, t)
  local said = req.query.said
  local text = said and t["said_" .. said]
  if not text then return nil end
  local notice = { kind = WARNINGS[said] and "warn" or "ok", text = text }
  if not text:find("%s", 1, true) then return notice end
  local draft = drafts.load(req.query.of)
  if not draft then return nil end
  local name = said == "tested" and (req.query.to or ""):sub(1, 200)
  notice.text = text:format(name or shown.draft(draft, t).subject)
  if approvals.is_approved(draft.document) then
    notice.undo = {
      action = "/review/" .. draft.id .. "/undo",
      seconds = math.ceil(approvals.seconds_left(draft.document)),
    }
  end
  return notice
end

return shown
