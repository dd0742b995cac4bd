--- What a reviewer should look at twice: the marks of a draft in the list, and on its page.

local correspondents = require "lib.correspondents"
local letter = require "lib.letter"
local links = require "lib.links"
local reading = require "lib.reading"
local shown = require "lib.shown"

local marks = {}

local MANY = 10 -- recipients
local NAMED = 5 -- domains or files of a mark

---@class mark
---@field kind "domain"|"many"|"links"|"attachments"|"rule"
---@field label string   a word or two
---@field title string   the sentence behind it

--- How many links of a letter lead elsewhere than their text says; nil: it is too long, or cannot
--- be read.
local function count_misleading(facts)
  if not facts.template and (facts.draft.format or "text") == "text" then return 0 end
  local ok, html = pcall(reading.html, facts)
  if not ok or not html then return nil end
  local n = 0
  for url, said in links.of(html) do
    if links.differs(url, said) then n = n + 1 end
  end
  return n
end

local function add(list, kind, label, title)
  list[#list + 1] = { kind = kind, label = label, title = title }
end

local function add_links(list, facts, t)
  local n = count_misleading(facts)
  if not n then
    add(list, "links", t.mark_unread, t.mark_unread_title)
  elseif n > 0 then
    add(list, "links", t.mark_links, t.mark_links_title:format(n))
  end
end

--- Of a rule that kept the message from leaving.
local function add_rule(list, document, t)
  local decision = document.decision
  if type(decision) ~= "table" or decision.verdict == "send" then return end
  local rule = type(decision.rule) == "string" and decision.rule or "?"
  add(list, "rule", t.mark_rule, t.mark_rule_title:format(shown.line(rule)))
end

--- The first of some names, and how many others there are.
local function listed(names, t)
  local list = shown.line(table.concat(names, ", ", 1, math.min(#names, NAMED)))
  return #names > NAMED and list .. " " .. t.more:format(#names - NAMED) or list
end

local function names_of(attachments)
  local names = {}
  for i, one in ipairs(attachments) do
    names[i] = type(one.filename) == "string" and one.filename or "?"
  end
  return names
end

local function marks_of(facts, unknown, t)
  local list = {}
  local fresh = {}
  for _, domain in ipairs(facts.draft.status == "pending" and facts.domains or {}) do
    if unknown[domain] then fresh[#fresh + 1] = domain end
  end
  if fresh[1] then
    add(list, "domain", t.mark_domain, t.mark_domain_title:format(listed(fresh, t)))
  end
  if #facts.recipients > MANY then
    add(list, "many", t.mark_many:format(#facts.recipients),
      t.mark_many_title:format(#facts.recipients))
  end
  add_links(list, facts, t)
  if #facts.attachments > 0 then
    add(list, "attachments", t.mark_attachments:format(#facts.attachments),
      t.mark_attachments_title:format(listed(names_of(facts.attachments), t)))
  end
  add_rule(list, facts.draft, t)
  return list
end

--- The marks of some drafts, in their order.
---@async
---@param found draft[]
---@param t table<string, string>   the words
---@return mark[][]
---@return letter[]
function marks.of(found, t)
  local letters, domains, seen = {}, {}, {}
  for i, draft in ipairs(found) do
    letters[i] = letter.of(draft.document)
    for _, domain in ipairs(letters[i].domains) do
      if not seen[domain] then domains[#domains + 1] = domain end
      seen[domain] = true
    end
  end
  local unknown, all = correspondents.unknown(domains), {}
  for i, facts in ipairs(letters) do all[i] = marks_of(facts, unknown, t) end
  return all, letters
end

return marks
