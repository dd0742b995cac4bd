--- Hold mail with words that a person should see first, in subject or body.
---
--- my/policy/review.lua:
---
---   local forbidden_words = require "recipes.forbidden_words"
---   local rules = require "lib.rules"
---   return { decide = rules.first {
---     { "forbidden words", forbidden_words { "password", "wire transfer", "Kündigung" } },
---   } }
---
--- Whole words in any case: "password" is in "PASSWORD:", not in "passwords". Spaces, line breaks
--- and punctuation between words do not matter. Upper and lower case are known of ASCII and of
--- Western European letters (Ü is ü), of no others; accents count (é is not e), and languages
--- without spaces have no words here. Attachments, names of files and metadata are not looked into,
--- and who spells w-o-r-d-s apart gets through. Bodies over 128 KiB are held unread.

local given = require "lib.given"
local reading = require "lib.reading"

local function lower(letter)
  return "\xC3" .. string.char(letter:byte(2) + 32)
end

--- Words in lower case, each between single spaces.
local function words_of(text)
  text = text:lower():gsub("\xC3[\x80-\x96\x98-\x9E]", lower)  -- À to Þ
    :gsub("\xC2\xAD", ""):gsub("\xE2\x80[\x8B-\x8D]", "") -- what nobody sees in words
    :gsub("\xC2[\x80-\xBF]", " "):gsub("\xE2[\x80\x81][\x80-\xBF]", " ") -- « » “ ” – …
    :gsub("[^%w\x80-\xFF]+", " ")
  return (" " .. text .. " "):gsub(" +", " ")
end

---@param list string[]
---@return rule
return function(list)
  given("forbidden_words", list, "string[]")
  local forbidden = {}
  for i, word in ipairs(list) do
    forbidden[i] = words_of(word)
    if forbidden[i] == " " then error(("forbidden words: '%s' is no word"):format(word), 2) end
  end
  return function(letter)
    local body = reading.text(letter)
    if not body then return "hold", reading.TOO_LONG end
    local text = words_of(tostring(letter.draft.subject) .. " \u{FFFC} " .. body)
    for i, word in ipairs(forbidden) do
      if text:find(word, 1, true) then return "hold", ("it says '%s'"):format(list[i]) end
    end
  end
end
