--- Rules in their order: the first that says something decides.
---
---   review.decide = rules.first {
---     { "many recipients", function(letter)
---       if #letter.recipients > 50 then return "hold", "more than 50 recipients" end
---     end },
---     { "unknown domains", known_domains { "example.com" } },
---   }
---
--- A rule that says nothing leaves it to the next; if none says anything, the mail is sent.

local policy = require "paraph.policy"

local rules = {}

local lists = {} -- by the functions that were made of them

---@alias verdict "send"|"hold"|"refuse"
---@alias rule fun(letter: letter): verdict?, string?

local function is_entry(entry)
  return type(entry) == "table" and type(entry[1]) == "string" and type(entry[2]) == "function"
end

---@param list { [1]: string, [2]: rule }[]  name and rule
---@return fun(letter: letter): verdict, string?, string?, string?  what review.decide answers
function rules.first(list)
  if type(list) ~= "table" then
    error("a list of rules is wanted: { { \"its name\", function(letter) … end }, … }", 2)
  end
  local places, count = {}, 0
  for _ in pairs(list) do count = count + 1 end
  for i = 1, count do -- one under a name leaves a gap in the list, too
    if not is_entry(list[i]) then
      error(("rule %d is not { \"its name\", function(letter) … end }"):format(i), 2)
    end
    places[i] = policy.where(list[i][2])
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
