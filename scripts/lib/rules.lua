--- Rules in their order: the first that says something decides.
---
---   review.decide = rules.first {
---     { "many recipients", function(letter)
---       if #letter.recipients > 50 then return "hold", "more than 50 recipients" end
---     end },
---     { "our own people", recipes.only_domains { "example.com" } },
---   }
---
--- A rule that says nothing leaves it to the next; if none says anything, the mail is sent.

local policy = require "paraph.policy"

local rules = {}

local lists = {} -- by the functions that were made of them

---@alias verdict "send"|"hold"|"refuse"
---@alias rule fun(letter: letter): verdict?, string?

---@param list { [1]: string, [2]: rule }[]  name and rule
---@return fun(letter: letter): verdict, string?, string?, string?  what review.decide answers
function rules.first(list)
  local places = {}
  for i, entry in ipairs(list) do
    local name, rule = entry[1], entry[2]
    if type(name) ~= "string" or type(rule) ~= "function" then
      error(("rule %d is not { \"its name\", function(letter) … end }"):format(i), 2)
    end
    places[i] = policy.where(rule)
  end
  local function decide(letter)
    for i, entry in ipairs(list) do
      local verdict, reason = entry[2](letter)
      if verdict then return verdict, reason, entry[1], places[i] end
    end
    return "send"
  end
  lists[decide] = { rules = list, places = places }
  return decide
end

--- What each rule says of a letter, also those behind the one that decides: for who asks why.
---@param decide function   of rules.first; nil comes of another
---@param letter letter
---@return { rule: string, at: string, verdict?: verdict|"fails", reason?: string }[]?
function rules.explain(decide, letter)
  local known, answers = lists[decide], {}
  if not known then return nil end
  for i, entry in ipairs(known.rules) do
    local ok, verdict, reason = pcall(entry[2], letter)
    if not ok then verdict, reason = "fails", tostring(verdict) end
    answers[i] = { rule = entry[1], at = known.places[i], verdict = verdict, reason = reason }
  end
  return answers
end

return rules
