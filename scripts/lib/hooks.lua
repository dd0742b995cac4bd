--- The hooks: where policies decide. Each is asked here and nowhere else: with a budget of time and
--- memory of its own, unable to wait for anything, and its answer is checked. A hook that fails
--- decides nothing, and the log says where: whoever asked takes the careful way.

local config = require "paraph.config"
local fail = require "lib.fail"
local policy = require "paraph.policy"

local hooks = {}

---@class hook_module
---@field module string   as `require` takes it
---@field hooks { [1]: string, [2]: string }[]  the functions, and what each decides

--- Every hook there is. What a module of the overlay leaves out, the shipped one decides; but one
--- that has none of its hooks has them under names that nobody asks for, and does not go live.
--- (Those of `access` are asked by the host, before a request is begun.)
---@type hook_module[]
hooks.modules = {
  { module = "access", hooks = {
    { "roles", "what a caller may do" },
    { "rate", "how often he may ask" },
  } },
  { module = "policy.review", hooks = {
    { "decide", "send, hold or refuse a message" },
    { "approve", "is one reviewer enough" },
  } },
  { module = "policy.limits", hooks = { { "of", "how much may leave in a day" } } },
  { module = "policy.compose", hooks = { { "bodies", "what a recipient reads" } } },
  { module = "policy.pixel", hooks = {
    { "place", "where the pixel stands" },
    { "html", "the pixel itself" },
  } },
  { module = "policy.opens", hooks = { { "classify", "who opened a message" } } },
}

--- The function of a hook.
---@param module_name string
---@param name string
---@return function
function hooks.find(module_name, name)
  return require(module_name)[name] or require("shipped." .. module_name)[name]
end

--- Where a hook is written: "policy/limits.lua:16".
---@param module_name string
---@param name string
---@return string
function hooks.where(module_name, name)
  return policy.where(hooks.find(module_name, name))
end

local function check(entry)
  local own, names, found = require(entry.module), {}, 0
  for i, hook in ipairs(entry.hooks) do
    local kind = type(own) == "table" and type(own[hook[1]]) or "nil"
    names[i] = "'" .. hook[1] .. "'"
    if kind == "function" then found = found + 1 elseif kind ~= "nil" then found = -math.huge end
  end
  if found < 1 then
    error(("%s.lua: returns no table with a function %s")
      :format(entry.module:gsub("%.", "/"), table.concat(names, " or ")), 0)
  end
end

--- Raises for a module without its hooks, and for settings that are wrong.
function hooks.check()
  require "lib.settings"
  for _, entry in ipairs(hooks.modules) do check(entry) end
end

--- "review.decide": what the log and the metrics call a hook.
local labels = {}
for _, entry in ipairs(hooks.modules) do
  local names = {}
  for _, hook in ipairs(entry.hooks) do
    names[hook[1]] = entry.module:match("[^.]+$") .. "." .. hook[1]
  end
  labels[entry.module] = names
end

local function failed(module_name, name, why, trace)
  local hook = labels[module_name][name]
  policy.failed(hook, trace)
  local _, err = fail("policy_error",
    "a policy script failed; the log says where, under this request's id")
  err.rule = hook .. " failed"
  err.why = why
  err.at = why:match("^[%w_/.-]+:%d+") or hooks.where(module_name, name)
  return err
end

local function answered(module_name, name, ok, ...)
  if ok then return true, ... end
  return false, failed(module_name, name, ...)
end

--- True and what a hook answered; or false and an error, which is in the log, and has for reviewers
--- a `rule`, `why` and `at`.
local function ask(module_name, name, ...)
  return answered(module_name, name,
    policy.call(labels[module_name][name], hooks.find(module_name, name), ...))
end

--- The error for an answer that is none of those possible.
local function misfit(module_name, name, message)
  local why = ("%s: %s %s"):format(hooks.where(module_name, name), name, message)
  return failed(module_name, name, why, why)
end

local function shown(value)
  return type(value) == "string" and ("%q"):format(value) or type(value)
end

-- --- decisions -----------------------------------------------------------------------------------

---@class decision
---@field verdict "send"|"hold"|"refuse"
---@field reason? string  a word or a sentence for people
---@field rule string     the name of the rule that decided
---@field at string       "policy/review.lua:12": where it is written

local VERDICTS = { send = true, hold = true, refuse = true }

local function is_text(value)
  return value == nil or type(value) == "string"
end

---@return decision? decision
---@return paraph.err? err
local function decision_of(name, letter)
  local ok, verdict, reason, rule, at = ask("policy.review", name, letter)
  if not ok then return nil, verdict end
  if not VERDICTS[verdict] then
    return nil, misfit("policy.review", name,
      ('answers %s; a decision is "send", "hold" or "refuse"'):format(shown(verdict)))
  end
  if not (is_text(reason) and is_text(rule) and is_text(at)) then
    return nil, misfit("policy.review", name, "gives a reason or a rule's name that is no text")
  end
  return {
    verdict = verdict,
    reason = reason,
    rule = rule or "review." .. name,
    at = at or hooks.where("policy.review", name),
  }
end

--- What becomes of a message that a caller wants sent at once.
---@param letter letter
---@return decision?
---@return paraph.err? err
function hooks.decide(letter)
  return decision_of("decide", letter)
end

--- Whether a draft that a reviewer lets out may leave by now.
---@param letter letter
---@return decision?
---@return paraph.err? err
function hooks.approve(letter)
  return decision_of("approve", letter)
end

-- --- limits --------------------------------------------------------------------------------------

---@class limit
---@field name string      what is counted; shown to reviewers
---@field most integer     that may leave in a day
---@field count? integer   as how much this message counts; default 1

local function is_limit(limit)
  return type(limit) == "table" and type(limit.name) == "string" and #limit.name <= 500
    and math.type(limit.most) == "integer" and limit.most >= 0
    and (limit.count == nil or math.type(limit.count) == "integer" and limit.count >= 0)
end

---@param letter letter
---@return limit[]?
---@return paraph.err? err
function hooks.limits(letter)
  local ok, limits = ask("policy.limits", "of", letter)
  if not ok then return nil, limits end
  if type(limits) ~= "table" then
    return nil, misfit("policy.limits", "of", "answers no list, but " .. shown(limits))
  end
  local checked = {}
  for i, limit in ipairs(limits) do
    if not is_limit(limit) then
      return nil, misfit("policy.limits", "of",
        ("answers a list whose limit %d is no { name = text, most = whole number }"):format(i))
    end
    checked[i] = { name = limit.name, most = limit.most, count = limit.count or 1 }
  end
  return checked
end

-- --- the message ---------------------------------------------------------------------------------

local PLACES = { after_message = true, ["end"] = true, top = true, none = true }

---@param letter letter
---@return pixel_place?
---@return paraph.err? err
function hooks.place(letter)
  local ok, place = ask("policy.pixel", "place", letter)
  if not ok then return nil, place end
  if not PLACES[place] then
    return nil, misfit("policy.pixel", "place", ('answers %s; a place is "after_message", "end", '
      .. '"top" or "none"'):format(shown(place)))
  end
  return place
end

--- The pixel of a message, as HTML.
---@param id string
---@return string? html
---@return paraph.err? err
function hooks.pixel(id)
  local ok, html = ask("policy.pixel", "html", config.pixel_base_url, id)
  if not ok then return nil, html end
  if type(html) ~= "string" then return nil, misfit("policy.pixel", "html", "answers no text") end
  return html
end

---@param content message_content
---@param letter letter
---@return string? html
---@return string|paraph.err text_or_err
function hooks.bodies(content, letter)
  local ok, html, text = ask("policy.compose", "bodies", content, letter)
  if not ok then return nil, html end
  if type(html) ~= "string" or type(text) ~= "string" then
    return nil, misfit("policy.compose", "bodies", "answers no two texts, HTML and plain")
  end
  return html, text
end

-- --- opens ---------------------------------------------------------------------------------------

local KINDS = { person = true, proxy = true, prefetch = true, scanner = true, sender = true }

--- An open is counted whatever the policy does.
---@param open open
---@return open_kind|"unknown" kind
---@return string reason
---@return table<string, string>? kept
function hooks.classify(open)
  local ok, kind, reason, kept = ask("policy.opens", "classify", open)
  if not ok then return "unknown", kind.why end
  if not KINDS[kind] or type(reason) ~= "string" or (kept ~= nil and type(kept) ~= "table") then
    return "unknown", misfit("policy.opens", "classify",
      ("answers %s, or gives no reason"):format(shown(kind))).why
  end
  return kind, reason, kept
end

return hooks
